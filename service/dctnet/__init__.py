"""Portrait cartoonization with DCT-Net: engine, model folders, command line and server."""

__version__ = "0.1.0"

"""Portrait photos to cartoons with DCT-Net: an engine, model folders, a command line, a server."""

__version__ = "0.1.0"

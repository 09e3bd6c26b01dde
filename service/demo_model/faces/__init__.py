"""Face networks of the demo model: MediaPipe's weights in graphs with upstream's tensors."""

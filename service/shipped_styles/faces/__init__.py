"""Face networks of the shipped comic: MediaPipe's weights in graphs with upstream's tensors."""

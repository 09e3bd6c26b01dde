"""The demo model's face networks: MediaPipe's weights as graphs with upstream's tensors."""

"""The HTTP API and the page: one endpoint a file."""

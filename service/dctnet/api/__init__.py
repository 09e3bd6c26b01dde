"""HTTP API and web UI: one module per route, and the middleware."""

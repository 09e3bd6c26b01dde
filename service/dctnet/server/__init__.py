"""Gunicorn, made ours: its configuration and how a replica starts."""

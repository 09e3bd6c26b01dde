"""Gunicorn configuration, worker class and start-up."""

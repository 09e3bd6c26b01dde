"""Fetching, with the real client, from a stand-in for the ModelScope hub."""

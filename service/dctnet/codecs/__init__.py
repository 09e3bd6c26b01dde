"""Codecs in sandboxed processes: each slot decodes and encodes in one that can be killed."""

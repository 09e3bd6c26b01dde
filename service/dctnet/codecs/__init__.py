"""Codecs in sandboxed processes: each slot decodes and encodes in one that can be killed."""

from dctnet.codecs.errors import CodecKilled, CodecTimeout, CodecUnavailable, FailureReason
from dctnet.codecs.pool import Codec, CodecPool

__all__ = ["Codec", "CodecKilled", "CodecPool", "CodecTimeout", "CodecUnavailable", "FailureReason"]

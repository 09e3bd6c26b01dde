"""Pins: which model an operator expects, by the digest of its manifest or of its source."""

from dataclasses import dataclass

from dctnet.models.manifest import is_sha256

_SOURCE = "source:"
_SHA256 = "sha256:"

DESCRIPTION = "a sha256 of 64 hexadecimal digits, or source:sha256: and such a digest"


@dataclass(frozen=True, slots=True)
class Pin:
    """An expected digest."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    of_source: bool = False
    """Whether it is the digest of the upstream files (`manifest.source_digest`), which does not
    depend on the versions that converted them, instead of the manifest's."""

    @classmethod
    def parse(cls, text: str) -> "Pin":
        """Parse ``DIGEST``, ``sha256:DIGEST`` or ``source:sha256:DIGEST``; raise ValueError."""
        digest = text.lower()
        of_source = digest.startswith(_SOURCE)
        digest = digest.removeprefix(_SOURCE).removeprefix(_SHA256)
        if not is_sha256(digest):
            raise ValueError(f"{text!r} is not {DESCRIPTION}")
        return cls(digest, of_source)

    def __str__(self) -> str:
        return f"{_SOURCE}{_SHA256}{self.sha256}" if self.of_source else self.sha256

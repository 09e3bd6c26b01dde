"""Phrases that the project's texts do not use, each with its replacement: part of `make lint`."""

import re
import subprocess
import sys
from pathlib import Path

BANNED = {
    r"whoever": "the subject that acts: a client, an operator",
    r"(?<!~)nobody(?!-)": "no client",
    r"told apart": "identified",
    r"asked for": "requested, required",
    r"turned away|(?<!connection.)refus\w+\b(?!-stream)": "rejected",
    r"anew": "again",
    r"known answers?": "golden pair",
    r"processors?": "CPU",
    r"thousandths": "millicores",
    r"pictures?": "image",
    r"put right": "fixed",
    r"by (itself|themselves)": "automatically",
    r"as it is": "unchanged",
    r"so many": "the number",
    r"(?<!there.)is no(?! (longer|more|less))": "is not a",
    r"knows? no": "does not support",
    r"who draws": "the runtime",
    r"(is|are|be|being|been|was|were) drawn": "is cartoonized",
    r"(bytes|images|requests|threads|times) a (second|slot|request|image|replica)": "per",
    r"let go": "closed",
    r"the way in": "admission control",
    r"going down|about to end": "shutting down",
}
# Changelog, licences, locks and binaries; the glossary, which names them; this list and its test.
EXCLUDED = re.compile(
    r"CHANGELOG\.md|LICENSE|.*/LICENSES\.md|requirements/.*|.*go\.sum|docs/glossary.*"
    r"|.*\.(avif|heic|icc|jpg|npz|onnx|pb|png|svg|webp)|tests/(unit/test_)?banned_phrases\.py"
)
SPACE = r"\s+(?:(?:#|;|//|\*)\s*)?"  # A phrase may go on in the next line of a comment.
PATTERNS = {
    re.compile(rf"\b(?:{phrase.replace(' ', SPACE)})\b", re.IGNORECASE | re.DOTALL): replacement
    for phrase, replacement in BANNED.items()
}


def main(names: list[str]) -> int:
    """Print file, line, phrase and replacement of each hit; return 1 if there are any."""
    status = 0
    for name in names:
        text = "" if EXCLUDED.fullmatch(name) else Path(name).read_text()
        found = [(m.start(), m[0], new) for p, new in PATTERNS.items() for m in p.finditer(text)]
        for start, phrase, replacement in sorted(found):
            line = text.count("\n", 0, start) + 1
            print(f"{name}:{line}: {' '.join(phrase.split())!r}: write {replacement!r}")
            status = 1
    return status


if __name__ == "__main__":
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True)
    sys.exit(main(sys.argv[1:] or [n for n in tracked.stdout.split("\0") if Path(n).is_file()]))

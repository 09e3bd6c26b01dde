"""The shipped styles, as folders.

    python -m tests.support.shipped FOLDER

writes the default style as a complete model folder.
"""

import shutil
import sys
from pathlib import Path

from dctnet.models.folder import SHIPPED, SHIPPED_COMMON

COMIC = SHIPPED / "comic"
"""The default style of an installation with nothing fetched."""


COMIC_FILES = sorted({path.name for folder in (COMIC, SHIPPED_COMMON) for path in folder.iterdir()})
"""Names of the files of the model."""


def copy_shipped(to: Path, style: str = "comic") -> Path:
    """Write a shipped style as a complete model folder, and return it."""
    shutil.copytree(SHIPPED_COMMON, to)
    shutil.copytree(SHIPPED / style, to, dirs_exist_ok=True)
    return to


if __name__ == "__main__":
    copy_shipped(Path(sys.argv[1]))

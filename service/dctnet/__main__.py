"""``python -m dctnet`` is the command ``dctnet``."""

import sys

from dctnet.cli import main

sys.exit(main())

"""Entry point of ``python -m dctnet``, the same as the command ``dctnet``."""

import sys

from dctnet.cli import main

sys.exit(main())

"""`python -m isofield` is `isofield`."""

import sys

from isofield.cli import main

sys.exit(main())

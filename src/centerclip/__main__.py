"""`python -m centerclip`, the same as `centerclip`."""

import sys

from centerclip.cli import main

if __name__ == "__main__":
    sys.exit(main())

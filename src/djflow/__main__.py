"""`python -m djflow`, the same as `djflow`."""

import sys

from djflow.cli.command_line import main

if __name__ == "__main__":
    sys.exit(main())

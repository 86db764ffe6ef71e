"""The command line: python -m thimble."""

from __future__ import annotations

import sys

from .functions import run_command_line


def main() -> None:
    sys.stdout.flush()
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()

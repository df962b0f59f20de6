"""`python -m fathom`, and the `fathom` command."""

from __future__ import annotations

import sys


def main() -> None:
    from fathom.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""`python -m paddle_umsft`: the command `umsft` where its script is not on the path."""

from __future__ import annotations

import sys

from paddle_umsft.command.main import main

if __name__ == "__main__":
    sys.exit(main())

"""One page over several runs: python tools/report.py RUN RUN ... [-o FILE]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

# A checkout need not be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.command.base import run_command
from paddle_umsft.command.report import REPORT_COMMAND


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (bad usage), 3 (bad data) or 130 (interrupted)."""
    return run_command(REPORT_COMMAND, argv, "python tools/report.py")


if __name__ == "__main__":
    sys.exit(main())

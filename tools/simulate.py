"""Write LR-HSI/HR-MSI pairs for other programs: python tools/simulate.py -c cave.yml [-o key.sub=value ...]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

# A checkout need not be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.command.base import run_command
from paddle_umsft.command.simulate import SIMULATE


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (bad usage), 3 (bad data) or 130 (interrupted)."""
    return run_command(SIMULATE, argv, "python tools/simulate.py")


if __name__ == "__main__":
    sys.exit(main())

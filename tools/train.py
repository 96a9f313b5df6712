"""Fuse the scenes of a configuration: python tools/train.py -c demo.yml [-o key.sub=value ...]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

# A checkout need not be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.command.base import run_command
from paddle_umsft.command.train import TRAIN


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (bad usage), 3 (bad data), 130 (interrupted) or 143 (SIGTERM)."""
    return run_command(TRAIN, argv, "python tools/train.py")


if __name__ == "__main__":
    sys.exit(main())

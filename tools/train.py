"""Fuse the scenes of a configuration: python tools/train.py -c demo.yml [-o key.sub=value ...]."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuse LR-HSI and HR-MSI: one scene or a folder of them.")
    parser.add_argument("-c", "--config", metavar="FILE", help="configuration; a bare name is looked up in configs/")
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="key.sub=value")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"))
    parser.add_argument("--output", metavar="DIR", help="folder for runs (default: output)")
    parser.add_argument("--resume", metavar="DIR", help="a run folder to go on with; finished scenes are skipped")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--debug", action="store_true", help="tracebacks, and more in the log")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (bad usage or configuration), 3 (bad data), 130 (interrupted) or 143 (SIGTERM)."""
    args = parse(argv)
    try:
        from paddle_umsft.errors import StoppedError, UmsftError
        from paddle_umsft.machine.screen import screen_may_close
        from paddle_umsft.runs.run import fuse_all, open_run
    except KeyboardInterrupt:
        print("interrupted; nothing was done yet", file=sys.stderr)
        return 130
    except ImportError as error:
        print(f"{error}; install first: pip install -r requirements-cpu.txt (or requirements.txt)", file=sys.stderr)
        return 2

    screen_may_close()
    folder: Optional[Path] = None
    try:
        config, folder = open_run(args.config, args.override, args.device, args.output, args.resume)
        outcomes = fuse_all(config, folder, quiet=args.quiet, debug=args.debug)
    except (StoppedError, KeyboardInterrupt) as stop:
        how = f"go on with: python tools/train.py --resume {folder}" if folder else "nothing was done yet"
        print(f"interrupted; {how}", file=sys.stderr)
        return getattr(stop, "exit_code", StoppedError.exit_code)
    except UmsftError as error:
        if args.debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if len(outcomes) > 1:
        summary = f"; {folder / 'summary.csv'}" if len(failed) < len(outcomes) else ""
        print(f"{len(outcomes) - len(failed)} of {len(outcomes)} scenes fused{summary}")
    return max((outcome.error.exit_code for outcome in failed if outcome.error), default=0)


if __name__ == "__main__":
    sys.exit(main())

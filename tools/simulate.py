"""Write LR-HSI/HR-MSI pairs for other programs: python tools/simulate.py -c cave.yml [-o key.sub=value ...]."""

from __future__ import annotations

import argparse
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Simulate both cameras and write, for each scene, pair and truth with all their metadata.",
        epilog="Exit codes: 0 done, 2 bad usage or configuration, 3 missing or bad data.",
    )
    parser.add_argument(
        "-c", "--config", required=True, metavar="FILE", help="configuration; its data and observe count"
    )
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="key.sub=value")
    parser.add_argument("--output", default="output/pairs", metavar="DIR", help="a folder per scene goes in here")
    parser.add_argument("--format", choices=("npz", "mat"), default="npz")
    parser.add_argument("--debug", action="store_true", help="tracebacks")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (bad usage), 3 (bad data) or 130 (interrupted). One bad scene does not stop the others."""
    args = parse(argv)
    code = 0
    try:
        from paddle_umsft.config.load import load_config
        from paddle_umsft.data.readers import list_scenes
        from paddle_umsft.errors import ConfigError, UmsftError
        from paddle_umsft.machine.screen import screen_may_close
        from paddle_umsft.runs.folder import check_writable
        from paddle_umsft.runs.pairs import read_back, write_pair
        from paddle_umsft.runs.run import make_case

        screen_may_close()
        check_writable(Path(args.output).expanduser())
        config = load_config(args.config, args.override)
        entries = list_scenes(config.data)
        for entry in entries:
            folder = Path(args.output).expanduser() / entry.name
            try:
                case = make_case(entry, config)
                files = write_pair(case, config, folder, format=args.format)
            except UmsftError as error:
                if len(entries) == 1 or isinstance(error, ConfigError):
                    raise
                print(f"error: {entry.name}: {error}", file=sys.stderr)
                code = error.exit_code
                continue
            print(f"{entry.name}: {', '.join(str(file) for file in files)}")
            # What the configuration tells a method here, it is told there: an SRF of a file may since be sorted.
            known = tuple(name for name in ("psf", "srf") if getattr(config.observe, f"known_{name}"))
            supports = case.observation.supports
            overrides = [*args.override, *read_back(folder, format=args.format, known=known, supports=supports)]
            command = ["python", "tools/train.py", "-c", args.config, "-o", *overrides]
            print(f"  fuse it{'' if known else ' blind'}: {shlex.join(command)}")
    except KeyboardInterrupt:
        print("interrupted; the pairs named above are whole", file=sys.stderr)
        return 130
    except UmsftError as error:
        if args.debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return code


if __name__ == "__main__":
    sys.exit(main())

"""`umsft simulate`, `tools/simulate.py`: write LR-HSI/HR-MSI pairs for other programs."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from paddle_umsft.command.base import DONE, SETTINGS, Command
from paddle_umsft.command.choices import choices
from paddle_umsft.errors import ConfigError, UmsftError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "-c", "--config", required=True, metavar="FILE", help="configuration; its data and observe count"
    )
    parser.add_argument(
        "-o",
        "--override",
        nargs="+",
        action="extend",
        default=[],
        metavar="key.sub=value",
        help=f"{SETTINGS} observe.scale=4 observe.srf=sentinel2a",
    )
    parser.add_argument("--output", default="output/pairs", metavar="DIR", help="a folder per scene goes in here")
    parser.add_argument("--format", choices=("npz", "mat"), default="npz", help="of pair and truth (default: npz)")


def run(arguments: argparse.Namespace) -> int:
    """Simulate; one bad scene does not stop the others."""
    from paddle_umsft.config.load import load_config
    from paddle_umsft.data.listing import list_scenes
    from paddle_umsft.runs.folder import check_writable
    from paddle_umsft.runs.pairs import read_back, write_pair
    from paddle_umsft.runs.scene import make_case

    output = Path(arguments.output).expanduser()
    check_writable(output)
    config = load_config(arguments.config, arguments.override)
    entries = list_scenes(config.data)
    code = DONE
    for entry in entries:
        folder = output / entry.name
        try:
            case = make_case(entry, config)
            files = write_pair(case, config, folder, format=arguments.format)
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
        back = read_back(folder, format=arguments.format, known=known, supports=supports)
        trainer = arguments.program.replace("simulate", "train").split()
        command = [*trainer, "-c", arguments.config, "-o", *arguments.override, *back]
        blind = ""
        if not known:
            blind = " blind"
        print(f"  fuse it{blind}: {shlex.join(command)}")
    return code


SIMULATE = Command(
    name="simulate",
    summary="Simulate both cameras and write, for each scene, pair and truth with all their metadata.",
    add_options=add_options,
    run=run,
    details="Example:\n  %(prog)s -c cave.yml -o data.path=CAVE observe.scale=8 --format mat\n\n" + choices(),
    interrupted="the pairs named above are whole",
)

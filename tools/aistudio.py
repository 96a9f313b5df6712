"""Make this checkout usable on AI Studio, or wherever much is installed already: python tools/aistudio.py.

Installs what is missing and replaces nothing, so that Paddle stays; lets notebooks and terminals find the package,
after a restart too; unpacks CAVE (data set 147509). The notebooks' first cell calls the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

# A checkout need not be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.command.base import DONE, Command, run_command
from paddle_umsft.data.archives import find_scenes
from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.beside import (
    REQUIREMENTS,
    ai_studio_home,
    install_missing,
    libraries_of,
    make_known,
    needed,
)
from paddle_umsft.machine.paddle_build import both_packages, check_paddle_is_there, packages_line

CHECKOUT = Path(__file__).resolve().parents[1]
DATA_SET = Path("data") / "data147509"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--no-data", action="store_true", help="leave the data set as it is")


def run(arguments: argparse.Namespace) -> int:
    """Install, make known, unpack; each says what it did."""
    home = ai_studio_home()
    libraries = libraries_of(home)
    path_file = make_known(libraries, CHECKOUT)
    lacking = needed(CHECKOUT / REQUIREMENTS)
    installed = install_missing(lacking.missing, libraries)
    print(f"packages   installed: {', '.join(installed) or 'none, nothing was missing'}")
    for package in lacking.too_old:
        print(f"packages   too old, left as it is: {package}")
    print(f"path       {path_file}")
    try:
        check_paddle_is_there()
        print(f"Paddle     {both_packages() or packages_line() + ', left as it is'}")
    except ConfigError as error:
        print(f"Paddle     {error}")
    if home is not None and not arguments.no_data:
        data_set = home / DATA_SET
        scenes = find_scenes(data_set, home / "work" / "data" / data_set.name)
        print(f"CAVE       {scenes or 'not mounted: add data set 147509 to the project'}")
    return DONE


SETUP = Command(
    name="aistudio",
    summary="Install what is missing beside what is there, and let every terminal find the package.",
    add_options=add_options,
    run=run,
)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (pip fails) or 3 (a damaged archive)."""
    return run_command(SETUP, argv, "python tools/aistudio.py")


if __name__ == "__main__":
    sys.exit(main())

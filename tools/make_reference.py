"""Write docs/configuration.md of the configuration's sections: python tools/make_reference.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

# A checkout need not be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.command.base import DONE, Command, run_command

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is not up to date")


def run(arguments: argparse.Namespace) -> int:
    """Write or compare the page."""
    from paddle_umsft.config.reference import COMMAND, reference_page
    from paddle_umsft.errors import DataError

    made = reference_page()
    if not arguments.check:
        PAGE.write_text(made, encoding="utf-8")
        return DONE
    kept = ""
    if PAGE.is_file():
        kept = PAGE.read_text(encoding="utf-8")
    if kept != made:
        raise DataError("not up to date", where=f"docs/{PAGE.name}", hint=COMMAND)
    return DONE


REFERENCE = Command(
    name="make_reference",
    summary="Write the reference of all configuration keys, docs/configuration.md.",
    add_options=add_options,
    run=run,
)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, or 3 (the page is not up to date)."""
    return run_command(REFERENCE, argv, "python tools/make_reference.py")


if __name__ == "__main__":
    sys.exit(main())

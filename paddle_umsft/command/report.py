"""`umsft report`, `tools/report.py`: the page of a run once more, or one page over several runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from paddle_umsft.command.base import DONE, Command


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs, such as output/cave")
    parser.add_argument("-o", "--output", metavar="FILE", help="the page over several runs (default: report.html in"
        " the folder that holds them; of one run, its own)")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from paddle_umsft.runs.page import REPORT
    from paddle_umsft.runs.several import read_runs, write_runs_report

    folders = [Path(folder).expanduser() for folder in arguments.runs]
    runs = read_runs(folders)
    if len(runs) == 1 and arguments.output is None:
        page = _of_one_run(folders[0])
    else:
        page = _holder(folders) / REPORT
        if arguments.output is not None:
            page = Path(arguments.output).expanduser()
        write_runs_report(runs, page)
    print(f"written    {page}")
    return DONE


def _of_one_run(folder: Path) -> Path:
    """Write the run's own page once more, of what is finished by now."""
    from paddle_umsft.config.load import load_config
    from paddle_umsft.runs.folder import CONFIG
    from paddle_umsft.runs.page import REPORT
    from paddle_umsft.runs.run_page import write_run_report

    write_run_report(folder, load_config(folder / CONFIG))
    return folder / REPORT


def _holder(folders: list[Path]) -> Path:
    """Return the folder above the first run."""
    return folders[0].resolve().parent


REPORT_COMMAND = Command(
    name="report",
    summary="Compare several runs on one page, or write the page of a run once more.",
    add_options=add_options,
    run=run,
    details="Example:\n  %(prog)s output/fast output/best",
)

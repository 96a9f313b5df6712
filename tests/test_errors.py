"""An error of ours is one line, in a notebook's cell too."""

from __future__ import annotations

import subprocess
import sys

import pytest

from paddle_umsft.errors import DataError, without_commands

CELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.run_cell("from paddle_umsft.errors import DataError; raise DataError('no such file', where='a.mat', hint='look')")
shell.run_cell("1 / 0")
"""


def test_a_cell_shows_the_line_and_no_traceback() -> None:
    pytest.importorskip("IPython", reason="IPython is not installed")
    done = subprocess.run([sys.executable, "-c", CELL], capture_output=True, text=True, check=True)
    shown = done.stdout + done.stderr
    ours, _, theirs = shown.partition("ZeroDivisionError")
    assert "DataError: a.mat: no such file; look\n" in ours
    assert ours.count("Traceback") <= 1  # of the other error, whose head comes before its name
    assert "raise DataError" not in ours
    assert "Traceback" in theirs  # other errors are shown as ever


def test_names_from_files_command_the_terminal_nothing() -> None:
    hostile = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202eb\x00"
    shown = str(DataError(hostile, where=hostile, got=hostile))
    assert shown.isprintable()
    assert "a\\x1b[2J" in shown
    assert without_commands("é 高\tb\r\n") == "é 高\tb\r\n"


def test_what_was_found_is_not_shown_at_any_length() -> None:
    shown = str(DataError("field", got="begin" + "x" * 10**6 + "end"))
    assert len(shown) < 1100
    assert shown.startswith("field, got begin")
    assert shown.endswith("end")

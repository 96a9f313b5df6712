"""How programs and subcommands answer who asks for help, or asks for what there is not."""

from __future__ import annotations

import pytest
from programs import ROOT, program

from paddle_umsft.command.main import main as umsft

PROGRAMS = sorted(path.name for path in (ROOT / "tools").glob("*.py"))
# These do something without being told more.
NEED_NOTHING = {"aistudio.py", "gpu_check.py", "make_reference.py"}
SUBCOMMANDS = ["info", "check", "fuse", "train", "eval", "report", "simulate", "convert", "camera"]


def answer(call: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code of a program or, where there is none of that name, of a subcommand; and all that it printed."""
    name, *arguments = call
    try:
        if name.endswith(".py"):
            code = program(f"tools/{name}").main(arguments)
        else:
            code = umsft(call)
    except SystemExit as end:  # argparse's own
        code = int(end.code or 0)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.mark.parametrize("name", [*PROGRAMS, *SUBCOMMANDS])
def test_help_is_no_error(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("-h", "--help"):
        code, said = answer([name, word], capsys)
        assert code == 0
        assert said.startswith("usage: ")
        assert "Traceback" not in said


@pytest.mark.parametrize("name", [*PROGRAMS, *SUBCOMMANDS])
def test_an_option_that_there_is_not(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = answer([name, "--no-such-option"], capsys)
    assert code == 2
    assert "usage: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NEED_NOTHING])
def test_without_arguments_there_is_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = answer([name], capsys)
    assert code == 2
    assert "Traceback" not in said


def test_half_of_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    for call in (["convert_weights.py", "one"], ["convert_weights.py", "--part", "bogus", "a.pth", "b.pth"]):
        code, said = answer(call, capsys)
        assert code == 2
        assert "error: " in said
        assert "Traceback" not in said

"""docs/configuration.md: made of the sections, up to date, and every key of it is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from programs import ROOT, program

from paddle_umsft.command import choices
from paddle_umsft.command.main import main
from paddle_umsft.config.files import shipped_names
from paddle_umsft.config.load import _all_keys, _known_key
from paddle_umsft.config.reference import reference_page
from paddle_umsft.config.run import Config
from paddle_umsft.methods.table import METHODS

PAGE = ROOT / "docs" / "configuration.md"
ROW = re.compile(r"^\| `([a-z_.]+)` \| (.+?) \| `(.*?)` \| (.*) \|$", re.MULTILINE)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page()
    assert program("tools/make_reference.py").main(["--check"]) == 0


def test_an_old_page_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = program("tools/make_reference.py")
    monkeypatch.setattr(maker, "PAGE", tmp_path / "configuration.md")
    assert maker.main(["--check"]) == 3
    assert "not up to date; python tools/make_reference.py" in capsys.readouterr().err
    assert maker.main([]) == maker.main(["--check"]) == 0


def test_every_key_is_there_with_what_it_means() -> None:
    rows = ROW.findall(reference_page())
    named = [name for name, _, _, _ in rows]
    assert len(named) == len(set(named))
    for name, kind, _, meaning in rows:
        _known_key(name.split("."), "reference")
        assert kind
        assert meaning, name
    sections = {key.rpartition(".")[0] for key in named}
    assert {key for key in _all_keys(Config) if key not in sections} == set(named)


def test_defaults_are_those_of_a_configuration() -> None:
    defaults = {name: default for name, _, default, _ in ROW.findall(reference_page())}
    assert defaults["solver.iterations"] == "300"
    # A rate has no default by itself; where it stands it has.
    assert (defaults["warm_up.srf.lr"], defaults["uhntc.rate.lr"]) == ("0.01", "0.008")
    assert defaults["output.visualdl"] == "true"
    assert defaults["data.path"] == "null"


def test_help_lists_presets_and_methods() -> None:
    assert list(choices.METHODS) == list(METHODS)
    assert list(choices.presets()) == shipped_names()


@pytest.mark.parametrize(("program_name", "option"), [("train", "-o"), ("simulate", "-o"), ("eval", "-o")])
def test_help_says_what_each_is_for(program_name: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program(f"tools/{program_name}.py").main(["--help"])
    shown = capsys.readouterr().out
    assert f"Settings: {option} section.key=value" in shown
    for name, purpose in [*choices.presets().items(), *choices.METHODS.items()]:
        assert purpose
        assert re.search(rf"^  {re.escape(name)} +{re.escape(purpose)}$", shown, re.MULTILINE), name


def test_where_o_is_the_output_settings_have_another_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fuse", "--help"])
    assert "Settings: --set section.key=value" in capsys.readouterr().out


def test_a_preset_that_cannot_be_read_does_not_stop_help(tmp_path: Path) -> None:
    assert choices._purpose(tmp_path / "gone.yml") == ""
    odd = tmp_path / "odd.yml"
    odd.write_bytes(b"# \xff\xfe. more\n")
    assert choices._purpose(odd) == "\ufffd\ufffd"

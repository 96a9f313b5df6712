"""A checkout beside what is installed already: what is missing, how it comes, and that a new Python finds it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT, program

from paddle_umsft.errors import ConfigError
from paddle_umsft.machine import beside


def test_what_is_missing_and_what_is_too_old(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("# paddlepaddle-gpu>=2.6\nnumpy>=1.23   # there\nscipy>=999.5\nno-such-package-1>=2.0\n-e .\n")
    found = beside.needed(file)
    assert found.missing == ("no-such-package-1>=2.0",)
    assert len(found.too_old) == 1
    assert found.too_old[0].startswith("scipy ")
    assert "999.5 is wanted" in found.too_old[0]


@pytest.mark.parametrize(
    ("there", "least", "is_older"),
    [("2.6.1.post120", "2.6.2", True), ("3.0.0.dev20240801", "2.6.2", False), ("1.26", "1.26.0", True)],
)
def test_versions_of_vendors_are_compared(there: str, least: str, is_older: bool) -> None:
    assert (beside._numbers(there) < beside._numbers(least)) == is_older


def test_pip_plans_beside_what_is_there_and_brings_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []

    def pip(*arguments: str) -> None:
        calls.append(arguments)
        if "--dry-run" in arguments:
            kept = Path(arguments[arguments.index("-c") + 1]).read_text(encoding="utf-8").splitlines()
            assert f"numpy=={np.__version__}" in kept
            assert len({line.split("==")[0].lower().replace("_", "-") for line in kept}) == len(kept)
            planned = [{"metadata": {"name": name, "version": "1.0"}} for name in ("wanted", "brought_along")]
            Path(arguments[arguments.index("--report") + 1]).write_text(json.dumps({"install": planned}))

    monkeypatch.setattr(beside, "_pip", pip)
    assert beside.install_missing([], tmp_path) == []
    assert calls == []
    assert beside.install_missing(["wanted>=0.5"], tmp_path / "deep" / "libraries") == [
        "wanted==1.0",
        "brought_along==1.0",
    ]
    assert (tmp_path / "deep" / "libraries").is_dir()
    _, installing = calls
    assert "--no-deps" in installing
    assert installing[-2:] == ("wanted==1.0", "brought_along==1.0")


def test_what_pip_says_is_one_line() -> None:
    with pytest.raises(ConfigError, match="pip download: pip failed"):
        beside._pip("download", "--no-such-option")


def test_a_new_python_finds_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    refused = tmp_path / "file"
    refused.touch()
    libraries = tmp_path / "libraries"
    monkeypatch.setattr(beside, "_site_folders", lambda: [refused / "no", site])
    monkeypatch.setattr(beside, "_is_installed", lambda: False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert beside.make_known(libraries, ROOT) == str(site / beside.PATH_FILE)
    assert sys.path[-1] == str(libraries)  # behind what is there
    # As Python does at its start; -S and -I leave this environment's own folders out.
    asked = f"import site, importlib.util as i; site.addsitedir({str(site)!r}); print(i.find_spec('paddle_umsft'))"
    libraries.mkdir()
    done = subprocess.run([sys.executable, "-I", "-S", "-c", asked], capture_output=True, text=True, check=True)
    assert str(ROOT / "paddle_umsft") in done.stdout
    monkeypatch.setattr(beside, "_site_folders", lambda: [refused / "no"])
    assert f"export PYTHONPATH={libraries}:{ROOT}" in beside.make_known(libraries, ROOT)
    monkeypatch.setattr(beside, "_is_installed", lambda: True)
    assert beside.make_known(None, ROOT) == "the package is installed"


def test_the_script_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = program("tools/aistudio.py")
    home = tmp_path / "home"
    scenes = home / "data" / "data147509" / "CAVE"
    scenes.mkdir(parents=True)
    (scenes / "1.mat").touch()
    monkeypatch.setenv(beside.HOME_VARIABLE, str(home))
    asked: list[Any] = []

    def install(missing: Any, libraries: Any) -> list[str]:
        asked.append((missing, libraries))
        return ["wanted==1.0"]

    monkeypatch.setattr(script, "needed", lambda file: beside.Needed(("wanted>=0.5",), ("scipy 1.8 (1.9 is wanted)",)))
    monkeypatch.setattr(script, "install_missing", install)
    monkeypatch.setattr(beside, "_site_folders", lambda: [tmp_path / "site"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert script.main([]) == 0
    said = capsys.readouterr().out
    assert asked == [(("wanted>=0.5",), home / "external-libraries" / "for_paddle_umsft")]
    assert "installed: wanted==1.0" in said
    assert "too old, left as it is: scipy 1.8" in said
    assert "left as it is" in said
    assert f"CAVE       {scenes}" in said

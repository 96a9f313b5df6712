"""A page over several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest

from paddle_umsft.command.main import main
from paddle_umsft.config.load import load_config
from paddle_umsft.machine.files import write_json, write_text
from paddle_umsft.runs.several import common_scenes, read_runs, write_runs_report


def made_up_run(folder: Path, psnr: dict[str, Optional[float]], method: str = "subspace") -> Path:
    """A run's folder with a PSNR by scene; None: no truth."""
    for scene, value in psnr.items():
        metrics: dict[str, Any] = {"method": method, "convention": "author", "seconds": 2.0}
        if value is not None:
            metrics["fused"] = {"PSNR": value, "SAM": 60.0 - value}
        write_json(folder / scene / "metrics.json", metrics)
    write_text(folder / "config.yml", load_config(None, [f"method={method}"]).to_yaml())
    write_text(folder / "report.html", "")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    first = made_up_run(tmp_path / "a & b", {"10": 40.0, "2": 42.0, "only here": 10.0})
    return [first, made_up_run(tmp_path / "best", {"2": 44.0, "10": 39.0}, "ensemble")]


def test_means_are_over_the_scenes_that_all_have(runs: list[Path], tmp_path: Path) -> None:
    known = read_runs(runs)
    assert common_scenes(known) == ["2", "10"]
    page = tmp_path / "page.html"
    write_runs_report(known, page)
    text = page.read_text(encoding="utf-8")
    assert "<td>41.00 ± 1.41</td>" in text
    assert '<td class="best">41.50 ± 3.54</td>' in text
    # A smaller angle is the better one.
    assert '<td class="best">18.50 ± 3.54</td>' in text
    assert 'href="a%20%26%20b/report.html"' in text
    assert text.index(">2<") < text.index(">10<") < text.index(">only here<")
    assert "a &amp; b" in text


def test_figures_that_a_run_has_not_are_not_compared(tmp_path: Path) -> None:
    runs = [made_up_run(tmp_path / "x", {"s": 40.0}), made_up_run(tmp_path / "y", {"s": None})]
    page = tmp_path / "page.html"
    write_runs_report(read_runs(runs), page)
    text = page.read_text(encoding="utf-8")
    runs_table = text[text.index('id="runs"') : text.index('id="scene_by_scene"')]
    assert "PSNR" not in runs_table
    assert "40.00" in text


def test_the_command(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *map(str, runs)]) == 0
    assert f"written    {tmp_path / 'report.html'}" in capsys.readouterr().out
    assert main(["report", *map(str, runs), "-o", str(tmp_path / "x" / "y.html")]) == 0
    assert 'href="../best/report.html"' in (tmp_path / "x" / "y.html").read_text(encoding="utf-8")
    # Of one run its own page.
    assert main(["report", str(runs[1])]) == 0
    assert "Run best" in (runs[1] / "report.html").read_text(encoding="utf-8")


def test_what_is_no_run_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 3
    assert main(["report", str(tmp_path / "none")]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "neither config.yml nor a finished scene" in lines[0]
    assert "no such folder" in lines[1]


def test_what_reads_the_same_is_as_good(tmp_path: Path) -> None:
    runs = [made_up_run(tmp_path / "x", {"s": 40.001}), made_up_run(tmp_path / "y", {"s": 40.0})]
    page = tmp_path / "page.html"
    write_runs_report(read_runs(runs), page)
    # As mean of the run and as the scene's own.
    assert page.read_text(encoding="utf-8").count('<td class="best">40.00</td>') == 4

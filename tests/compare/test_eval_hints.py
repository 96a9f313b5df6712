"""What `tools/eval.py` advises is something that it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from programs import program

RNG = np.random.RandomState(0)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code = program("tools/eval.py").main([str(argument) for argument in arguments])
    assert code in (2, 3)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    return line


def test_axes_that_can_be_read_in_two_ways_name_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", RNG.uniform(size=(32, 32, 60)))
    line = told(capsys, tmp_path / "a.npy", "--reference", tmp_path / "a.npy", "--scale", 4)
    assert "--layout hwc" in line
    assert "data.layout" not in line


def test_the_usual_camera_is_not_asked_of_200_bands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", RNG.uniform(size=(16, 24, 200)))
    arguments = [tmp_path / "a.npy", "--reference", tmp_path / "a.npy", "--scale", 4, "--layout", "hwc"]
    line = told(capsys, *arguments, "--without-truth")
    assert "--without-truth: which MSI it was fused with is not known" in line
    assert "-o observe.srf=NAME_OR_FILE" in line
    # Who names one is told of that one.
    assert "which MSI" not in told(capsys, *arguments, "--without-truth", "-o", "observe.srf=nikon_d700")

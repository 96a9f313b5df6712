"""benchmarks/faults.py and benchmarks/soak.py, shortened: a trial or two of every fault, some dozens of fusions."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from programs import ROOT, program

SHORT = ["--kills", "1", "--stops", "1", "--fills", "2", "--others", "1", "--flips", "1"]
# What a run may hold back, call by call, in the last half of some dozens of fusions.
MEGABYTES = 6.0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, mounts, /proc")
def test_no_fault_loses_anything() -> None:
    """In a process of its own: it forks, which pytest's threads would not like."""
    command = [sys.executable, str(ROOT / "benchmarks" / "faults.py"), *SHORT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    faults = {line.split("|")[1].strip() for line in table}
    assert {"kill -9", "SIGTERM", "Ctrl-C", "clock set back", "two writers", "folder removed"} <= faults


def test_a_slope_is_told_from_noise() -> None:
    soak = program("benchmarks/soak.py")
    places = np.arange(400)
    noise = np.random.default_rng(0).normal(size=400)
    growing = soak.slope(0.02 * places + 0.1 * noise)
    assert growing.value == pytest.approx(2.0, abs=0.1)
    flat = soak.slope(noise)
    assert abs(flat.value) < 3 * flat.error
    # The standard error of a slope, by its closed form: sigma / sqrt(sum of squares), a hundred times.
    assert flat.error == pytest.approx(100 * np.sqrt(12 / 200**3), rel=0.15)


def test_what_every_call_holds_back_is_told_from_a_piece_taken_once() -> None:
    soak = program("benchmarks/soak.py")
    calls = np.arange(300)
    leak = soak.Soaked("leak", 64, np.zeros(300), 800 + 0.04 * calls)
    assert leak.steady == pytest.approx(0.04 * 149, rel=0.01)
    piece = soak.Soaked("piece", 64, np.zeros(300), 800 + 6.2 * (calls > 220))
    assert piece.late == pytest.approx(6.2)
    assert piece.steady == 0
    both = soak.Soaked("both", 64, np.zeros(300), leak.megabytes + piece.megabytes)
    assert both.steady == pytest.approx(0.04 * 149, rel=0.01)


@pytest.fixture(scope="module")
def soak() -> Any:
    return program("benchmarks/soak.py")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("method", "size", "count"),
    [("bicubic", 64, 50), ("gsa", 64, 50), ("sfim", 64, 50), ("subspace", 64, 50), ("uhntc", 64, 16)],
)
def test_memory_does_not_grow(soak: Any, method: str, size: int, count: int) -> None:
    found = soak.soaked(method, size, count, soak.fusion(method, size))
    assert found.steady < MEGABYTES


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_the_layers_does_not_grow(soak: Any) -> None:
    found = soak.soaked("layers", 64, 300, soak.small_layers(64))
    assert found.steady < MEGABYTES

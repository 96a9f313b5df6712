"""Memory: what is left of it, how sizes are read and said, and that what nobody holds any more goes back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from paddle_umsft.machine.memory import available_bytes, bytes_of, give_back, in_words, peak_bytes, resident_bytes


class Circle:
    """Holds itself, and something large."""

    def __init__(self, megabytes: int) -> None:
        self.itself = self
        # Each below what the system is asked for by itself: all of them stay with the allocator.
        self.large = [np.ones(2**13) for _ in range(16 * megabytes)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_circles_go_back() -> None:
    give_back()
    before = resident_bytes()
    Circle(64)
    held = resident_bytes()
    give_back()
    after = resident_bytes()
    assert before is not None
    assert held is not None
    assert after is not None
    assert held - before > 60e6
    assert after - before < 20e6


def test_sizes_are_read_and_said():
    assert bytes_of("1.5GB") == 3 * 2**29
    assert bytes_of("800 mb") == 800 * 2**20
    assert bytes_of("2G") == 2**31
    assert in_words(3 * 2**29) == "1.5 GB"
    assert in_words(300 * 2**20) == "300 MB"
    peak = peak_bytes()
    assert peak is None or peak > 2**20


def test_a_containers_limit_counts(tmp_path: Path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    group = tmp_path / "groups" / "box"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{4 * 2**20}\n")
    (group / "memory.current").write_text(f"{3 * 2**20}\n")
    member = tmp_path / "cgroup"
    member.write_text("0::/box\n")
    assert available_bytes(meminfo, tmp_path / "groups", member) == 2**20
    (group / "memory.max").write_text("max\n")
    assert available_bytes(meminfo, tmp_path / "groups", member) == 5000 * 1024
    assert available_bytes(tmp_path / "none", tmp_path / "none", tmp_path / "none") is None

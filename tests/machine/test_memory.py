"""Memory that nobody holds any more goes back to the system."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from paddle_umsft.machine.memory import give_back, resident_bytes


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

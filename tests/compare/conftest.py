"""What the tests of tools/eval.py share: the program, and a truth to compare with."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from programs import program


@pytest.fixture(name="tool", scope="module")
def tool_fixture() -> ModuleType:
    return program("tools/eval.py")


@pytest.fixture(name="truth")
def truth_fixture(tmp_path: Path) -> np.ndarray:
    """A non-square truth with maximum 1, saved as truth.npy times 1000."""
    truth = np.random.default_rng(0).uniform(0.1, 1.0, (40, 56, 6)).astype(np.float32)
    truth[3, 5, 2] = 1.0
    np.save(tmp_path / "truth.npy", truth * 1000)
    return truth

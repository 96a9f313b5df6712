"""What the parity tests share: the twin's folder on the path, and Paddle's default type put back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import paddle
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def double() -> Iterator[None]:
    before = paddle.get_default_dtype()
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype(before)

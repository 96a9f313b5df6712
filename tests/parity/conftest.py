"""What the parity tests share: Paddle's default type put back."""

from __future__ import annotations

from collections.abc import Iterator

import paddle
import pytest


@pytest.fixture
def double() -> Iterator[None]:
    before = paddle.get_default_dtype()
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype(before)

"""Tensors made during a fit are Paddle's, to the last bit, and leave nothing behind."""

from __future__ import annotations

import gc
from typing import Any, Callable

import numpy as np
import paddle
import pytest

from paddle_umsft.methods.networks.tensor_init import nothing_left_behind

NUMBERS = np.array([[1.5, -2.0, 0.25]], np.float32)
# Each way in which Paddle documents that a tensor is made, and those that its own optimisers and layers use.
WAYS: list[Callable[[], Any]] = [
    lambda: paddle.Tensor(NUMBERS),
    lambda: paddle.Tensor(NUMBERS, paddle.CPUPlace(), False, False, "named", True),
    lambda: paddle.Tensor(value=NUMBERS, place=paddle.CPUPlace()),
    lambda: paddle.to_tensor(NUMBERS),
    lambda: paddle.create_parameter([1, 3], "float32", default_initializer=paddle.nn.initializer.Assign(NUMBERS)),
]
NEW_WAYS: list[Callable[[], Any]] = [
    lambda: paddle.Tensor([1.5, -2.0, 0.25]),
    lambda: paddle.Tensor(data=[1.5, -2.0, 0.25], device="cpu"),
]
IN_BETWEEN = hasattr(paddle, "original_init")


@pytest.mark.parametrize("make", WAYS + NEW_WAYS * IN_BETWEEN)
def test_the_same_tensor(make: Callable[[], Any]) -> None:
    plain = make()
    with nothing_left_behind():
        made = make()
    assert np.array_equal(made.numpy(), plain.numpy())
    assert (made.dtype, made.shape, made.stop_gradient) == (plain.dtype, plain.shape, plain.stop_gradient)
    assert type(made) is type(plain)


@pytest.mark.skipif(not IN_BETWEEN, reason="Paddle 2.6 makes no tensor of given sizes")
def test_sizes_are_no_values() -> None:
    with nothing_left_behind():
        assert paddle.Tensor(2, 3).shape == [2, 3]


def test_the_constructor_is_paddles_own_afterwards() -> None:
    before = paddle.Tensor.__init__
    with nothing_left_behind(), nothing_left_behind():
        pass
    assert paddle.Tensor.__init__ is before


def test_what_a_fit_makes_most_of_leaves_no_list_behind() -> None:
    def lists() -> int:
        gc.collect()
        return sum(type(thing) is list for thing in gc.get_objects())

    def step() -> None:
        layer = paddle.nn.Linear(3, 2)
        optimizer = paddle.optimizer.AdamW(parameters=layer.parameters())
        layer(paddle.ones([1, 3])).mean().backward()
        optimizer.step()

    with nothing_left_behind():
        step()
        before = lists()
        for _ in range(20):
            step()
        # 11 tensors a step: two parameters, their two moments and two powers each, and the rate.
        assert lists() - before < 20

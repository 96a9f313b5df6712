"""A convolution of few channels with its kernel's columns side by side, against Paddle's own in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from test_plans import PER_OP, Wrapped, check, fast_only, made, results

from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.layers import Conv2D
from paddle_umsft.methods.networks.ops import autograd
from paddle_umsft.methods.networks.ops.side_by_side import conv_side_by_side, fits_side_by_side, order_of_columns


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    yield
    ops.set_mode("auto")
    ops.set_recompute(None)


def build(plan: Any, wrapped: Wrapped, inputs: Any) -> None:
    layer = wrapped.layer
    y = conv_side_by_side(plan, inputs[0], plan.parameter(layer, "weight"), plan.parameter(layer, "bias"))
    plan.output(y)


def reflected(channels: int) -> Wrapped:
    paddle.seed(channels)
    layer = Conv2D(channels, 37, 3, padding=1, padding_mode="reflect")
    return Wrapped(build, lambda c, x: c(x), layer)


def test_it_pays_where_three_columns_of_the_rest_fill_no_more_than_a_block() -> None:
    def blocks(channels: int) -> int:
        return -(-channels // 16)

    for channels in range(1, 100):
        rest = channels % 16
        saves = rest > 0 and blocks(3 * rest) == 1
        assert fits_side_by_side(channels) == saves
        if saves:
            assert blocks(3 * channels) < 3 * blocks(channels)


@pytest.mark.parametrize("channels", [3, 16 + 4, 32 + 5])
def test_columns_side_by_side_are_the_convolution_to_the_last_digits_of_float64(channels: int) -> None:
    draw = np.random.default_rng(channels).standard_normal
    padded, weight = draw((channels, 6, 9)), draw((4, channels, 3, 3))
    wanted = F.conv2d(paddle.to_tensor(padded[None]), paddle.to_tensor(weight)).numpy()[0]  # (4, 4, 7)

    laid = np.full((3 * channels, 6, 7), np.nan)
    kernel = np.full((4, 3 * channels, 3), np.nan)
    for place in order_of_columns(channels):
        inside = slice(place.start, place.start + place.count)
        target = slice(place.target, place.target + place.count)
        laid[target] = padded[inside, :, place.column : place.column + 7]
        kernel[:, target] = weight[:, inside, :, place.column]
    rows = [np.einsum("oi,ihw->ohw", kernel[:, :, row], laid[:, row : row + 4]) for row in range(3)]
    assert np.abs(sum(rows) - wanted).max() <= 1e-12 * np.abs(wanted).max()


@fast_only
@pytest.mark.parametrize(("channels", "height", "width"), [(20, 6, 11), (17, 9, 2), (33, 2, 7)])
@pytest.mark.parametrize("lean", [False, True])
def test_values_and_gradients(channels: int, height: int, width: int, lean: bool) -> None:
    ops.set_recompute(lean)
    check(reflected(channels), made((1, channels, height, width), 1), PER_OP)


@fast_only
def test_what_the_pools_buffers_held_before_does_not_matter() -> None:
    ops.set_recompute(True)
    layer = reflected(20)
    x = made((1, 20, 7, 8), 2)
    first, of_first = results(layer, x, "float32", fast=True)
    for buffer in autograd._pool.free:
        buffer[: buffer.size // 4 * 4].view(np.float32)[...] = np.nan
    second, of_second = results(layer, x, "float32", fast=True)
    assert np.array_equal(first[0], second[0])
    for name, gradient in of_first.items():
        assert np.array_equal(gradient, of_second[name]), name

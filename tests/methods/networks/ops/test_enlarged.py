"""A convolution behind a bilinear enlargement at the small map's size, against the enlargement made and convolved."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from test_plans import check_chain, fast_only, made, results

from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.hourglass import Hourglass
from paddle_umsft.methods.networks.ops import autograd
from paddle_umsft.methods.networks.ops.tap_maps import BLUR, PADDINGS, SQUARED, gather, spread

OUTSIDE, INSIDE = 4, 5


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    yield
    ops.set_mode("auto")
    ops.set_recompute(None)


def direct(x: np.ndarray, weight: np.ndarray, of_y: np.ndarray, padding: str) -> tuple[np.ndarray, ...]:
    """Paddle's enlargement, padding and convolution in float64: result, gradient of the weight and of the map."""
    small = paddle.to_tensor(x[None], stop_gradient=False)
    kernel = paddle.to_tensor(weight, stop_gradient=False)
    large = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    padded = F.pad(large, [1, 1, 1, 1], mode="reflect" if padding == "reflect" else "constant")
    y = F.conv2d(padded, kernel)
    (y * paddle.to_tensor(of_y[None])).sum().backward()
    return y.numpy()[0], kernel.grad.numpy(), small.grad.numpy()[0]


def blurred(total: np.ndarray) -> np.ndarray:
    """(2h + 2, 2w + 2, C) -> (C, 2h, 2w)."""
    rows = sum(share * total[i : i + total.shape[0] - 2] for i, share in enumerate(BLUR))
    both = sum(share * rows[:, i : i + rows.shape[1] - 2] for i, share in enumerate(BLUR))
    return np.moveaxis(both, 2, 0)


def unblurred(of_y: np.ndarray) -> np.ndarray:
    """The transpose of `blurred`."""
    wide = np.pad(np.moveaxis(of_y, 0, 2), ((2, 2), (2, 2), (0, 0)))
    return np.moveaxis(blurred(wide), 0, 2)


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 5), (9, 4), (6, 7)])
def test_nine_mixes_are_the_convolution_to_the_last_digits_of_float64(height: int, width: int, padding: str) -> None:
    draw = np.random.default_rng(height).standard_normal
    x, weight = draw((INSIDE, height, width)), draw((OUTSIDE, INSIDE, 3, 3))
    of_y = draw((OUTSIDE, 2 * height, 2 * width))
    wanted = direct(x, weight, of_y, padding)

    taps = np.einsum("oikl,ihw->klhwo", weight, x)[:, :, None]
    total = np.full((1, 2 * height + 2, 2 * width + 2, OUTSIDE), np.nan)
    spread(taps, np.full((3, 1, 2 * height + 2, width, OUTSIDE), np.nan), total, PADDINGS[padding])
    of_taps = np.full_like(taps, np.nan)
    room = np.full((3, 1, height, 2 * width + 2, OUTSIDE), np.nan)
    gather(unblurred(of_y)[None], room, of_taps, PADDINGS[padding])
    of_weight = np.einsum("klhwo,ihw->oikl", of_taps[:, :, 0], x)
    of_x = np.einsum("klhwo,oikl->ihw", of_taps[:, :, 0], weight)
    for got, true in zip((blurred(total[0]), of_weight, of_x), wanted):
        assert np.abs(got - true).max() <= 1e-12 * np.abs(true).max()


def test_squares_of_the_enlargement_are_a_blur_of_the_small_map() -> None:
    identity = paddle.to_tensor(np.eye(6)[None], dtype="float64")
    enlarge = F.interpolate(identity, scale_factor=2, mode="linear", align_corners=False, data_format="NCW").numpy()[0]
    bordered = np.pad(np.eye(6), ((0, 0), (1, 1)), mode="edge")
    blur = sum(share * bordered[:, i : i + 6] for i, share in enumerate(SQUARED))
    np.testing.assert_allclose(enlarge @ enlarge.T / 2, blur, atol=1e-15)


# Even sizes, whose merges are at the small map's size, with seeds that let no activation fall on the other side of 0.
EVEN = [("reflect", 1, 8, 12, 19), ("zeros", 1, 4, 22, 3), ("reflect", 2, 24, 16, 30)]


def labels(net: Hourglass) -> set[str]:
    plans = [plan for of_layer in autograd._plans[net].values() for plan in of_layer or ()]
    return {label for plan in plans for label, _ in plan.forward + plan.backward}


@fast_only
@pytest.mark.parametrize(("padding_mode", "scales", "height", "width", "seed"), EVEN)
@pytest.mark.parametrize("lean", [False, True])
def test_hourglass(padding_mode: str, scales: int, height: int, width: int, seed: int, lean: bool) -> None:
    ops.set_recompute(lean)
    paddle.seed(seed)
    net = Hourglass(
        in_channels=9, out_channels=6, scales=scales, width=37, padding_mode=padding_mode, upsampling="bilinear"
    )
    check_chain(net, made((1, 9, height, width), 8))
    assert {"spread", "gather"} <= labels(net)
    assert "upsample" not in labels(net)


@fast_only
def test_running_statistics_are_those_of_the_enlargement() -> None:
    moved = []
    for fast in (True, False):
        paddle.seed(3)
        net = Hourglass(in_channels=9, out_channels=6, scales=1, width=37, padding_mode="reflect")
        for seed in range(3):
            results(net, made((1, 9, 16, 8), seed), "float32", fast)
        moved.append((net.outer.norm._mean.numpy(), net.outer.norm._variance.numpy()))
    for got, wanted in zip(*moved):
        np.testing.assert_allclose(got, wanted, atol=2e-6)


@fast_only
def test_keeping_less_gives_the_same_bits_and_frozen_weights_hand_gradients_on() -> None:
    paddle.seed(2)
    net = Hourglass(in_channels=9, out_channels=6, scales=2, width=37, padding_mode="reflect")
    found = []
    for lean, frozen in ((False, False), (True, False), (False, True)):
        ops.set_recompute(lean)
        net.outer.merge.conv.weight.stop_gradient = frozen
        found.append(results(net, made((1, 9, 20, 16), 8), "float32", fast=True))
        # What the pool's buffers held before is nobody's business.
        for buffer in autograd._pool.free:
            buffer[: buffer.size // 4 * 4].view(np.float32)[...] = np.nan
    (outs, gradients), (lean_outs, lean_gradients), (_, of_frozen) = found
    assert np.array_equal(outs[0], lean_outs[0])
    for name, gradient in gradients.items():
        assert np.array_equal(gradient, lean_gradients[name]), name
    assert not of_frozen["outer.merge.conv.weight"].any()
    assert np.array_equal(of_frozen["input"], gradients["input"])

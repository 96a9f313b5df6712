"""Plans against the plain float64 path of the same layers: values, gradients, every shape, and good manners."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_umsft.errors import ConfigError
from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.hourglass import Hourglass
from paddle_umsft.methods.networks.layers import BatchNorm, Conv2D, ConvNormAct
from paddle_umsft.methods.networks.ops import autograd, builders, mode, pointwise, resizing
from paddle_umsft.methods.networks.vgg import VggFeatures
from paddle_umsft.methods.umsft.attention import Merge, SpatialFusion

fast_only = pytest.mark.skipif(mode.library() is None, reason=f"no fast path here: {ops.active()}")
PER_OP = 5e-6


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    yield
    ops.set_mode("auto")
    ops.set_recompute(None)


class Wrapped(nn.Layer):
    """A layer (or none) with a builder of its own, and its plain form."""

    def __init__(self, build: Callable[..., Any], plain: Callable[..., Any], layer: Any = None) -> None:
        super().__init__()
        self.layer, self.build, self.plain = layer, build, plain

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        out = autograd.run(self, self.build, [x])
        return self.plain(self.layer, x) if out is None else out[0]


def made(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def results(layer: nn.Layer, x: np.ndarray, dtype: str, fast: bool) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Outputs, and gradients of a random linear function of them, by name; `layer` is brought to `dtype`."""
    ops.set_mode("auto" if fast else "plain")
    layer.to(dtype=dtype)
    for buffer in layer.sublayers(include_self=True):
        buffer.train()
    tensor = paddle.to_tensor(x.astype(dtype), stop_gradient=False)
    out = layer(tensor)
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    weighted = [(o * paddle.to_tensor(made(tuple(o.shape), 9 + i).astype(dtype))).sum() for i, o in enumerate(outs)]
    sum(weighted[1:], weighted[0]).backward()
    gradients = {name: p.grad.numpy() for name, p in layer.named_parameters() if p.grad is not None}
    gradients["input"] = tensor.grad.numpy()
    layer.clear_gradients()
    return [o.numpy() for o in outs], gradients


def far(got: np.ndarray, wanted: np.ndarray, least: float = 1e-30) -> float:
    """Largest difference relative to the largest value, or to `least` where that is larger."""
    return float(np.abs(got - wanted).max() / max(np.abs(wanted).max(), least))


def check(layer: nn.Layer, x: np.ndarray, tolerance: float) -> None:
    outs, gradients = results(layer, x, "float32", fast=True)
    assert autograd._plans.get(layer) or any(sub in autograd._plans for sub in layer.sublayers())
    true_outs, true_gradients = results(layer, x, "float64", fast=False)
    for got, wanted in zip(outs, true_outs):
        assert far(got, wanted) <= tolerance
    assert gradients.keys() == true_gradients.keys()
    for name, wanted in true_gradients.items():
        assert far(gradients[name], wanted) <= tolerance, name


def check_chain(layer: nn.Layer, x: np.ndarray) -> None:
    """A chain of normalisations multiplies rounding: no further from float64 than plain float32 is, by and large.

    One activation that rounding puts on the other side of zero shifts gradients by a part in a hundred, on any path:
    the seeds in use have none.
    """
    outs, gradients = results(layer, x, "float32", fast=True)
    plain_outs, plain_gradients = results(layer, x, "float32", fast=False)
    true_outs, true_gradients = results(layer, x, "float64", fast=False)
    assert gradients.keys() == true_gradients.keys()
    for got, plain, wanted in zip(outs, plain_outs, true_outs):
        assert far(got, wanted) <= 8 * far(plain, wanted) + 2e-5
    # The bias of a convolution that feeds a normalisation has no gradient, only the rounding of the others'.
    rounding = 1e-3 * max(float(np.abs(wanted).max()) for wanted in true_gradients.values())
    for name, wanted in true_gradients.items():
        strays = far(plain_gradients[name], wanted, rounding)
        assert far(gradients[name], wanted, rounding) <= 8 * strays + 2e-5, name


def single(build: Callable[..., Any]) -> Callable[..., None]:
    def whole(plan: Any, layer: Any, inputs: Any) -> None:
        plan.output(build(plan, inputs[0], layer.layer))

    return whole


CONVOLUTION = ("inside", "outside", "kernel", "stride", "height", "width")
# Channels below, at and above whole blocks of 16 or 32; kernels, strides and sizes even and odd.
CONVOLUTIONS = [
    (34, 191, 3, 2, 16, 16),
    (191, 191, 3, 1, 9, 13),
    (3, 64, 3, 1, 12, 7),
    (20, 31, 1, 1, 5, 8),
    (1, 5, 3, 1, 6, 6),
    (16, 16, 3, 2, 7, 11),
    (211, 33, 3, 1, 4, 4),
    (129, 20, 1, 1, 17, 3),
]


@fast_only
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize(CONVOLUTION, CONVOLUTIONS)
def test_convolution(
    inside: int, outside: int, kernel: int, stride: int, height: int, width: int, padding_mode: str
) -> None:
    paddle.seed(inside)
    conv = Conv2D(inside, outside, kernel, stride=stride, padding=kernel // 2, padding_mode=padding_mode)
    check(Wrapped(single(builders.conv), lambda c, x: c(x), conv), made((1, inside, height, width), 1), PER_OP)


@fast_only
@pytest.mark.parametrize("slope", [None, 0.0, 0.2])
@pytest.mark.parametrize("shape", [(1, 191, 8, 9), (1, 20, 5, 5), (1, 33, 16, 2)])
def test_normalisation_and_activation(shape: tuple[int, ...], slope: float | None) -> None:
    def plain(layer: Any, x: paddle.Tensor) -> paddle.Tensor:
        y = layer(x)
        return y if slope is None else F.leaky_relu(y, slope)

    norm = BatchNorm(shape[1])
    norm.weight.set_value(1 + 0.1 * made((shape[1],), 2))
    norm.bias.set_value(0.1 * made((shape[1],), 3))
    build = single(lambda plan, x, layer: builders.norm(plan, x, layer, slope))
    check(Wrapped(build, plain, norm), 2 + made(shape, 4), PER_OP)


@fast_only
def test_running_statistics_move_as_paddle_moves_them() -> None:
    moved = []
    for fast in (True, False):
        paddle.seed(3)
        block = ConvNormAct(20, 31, 3)
        wrapped = Wrapped(single(builders.conv_norm_act), lambda c, x: c(x), block)
        for seed in range(3):
            results(wrapped, made((1, 20, 8, 8), seed), "float32", fast)
        moved.append((block.norm._mean.numpy(), block.norm._variance.numpy()))
    for got, wanted in zip(*moved):
        np.testing.assert_allclose(got, wanted, atol=2e-6)


@fast_only
@pytest.mark.parametrize("shape", [(1, 191, 4, 4), (1, 20, 5, 9), (1, 31, 2, 3)])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_upsampling(shape: tuple[int, ...], kind: str) -> None:
    block = getattr(resizing, f"upsample_{kind}")
    plain = lambda _, x: F.interpolate(x, scale_factor=2, mode=kind, align_corners=False)  # noqa: E731
    check(Wrapped(single(lambda plan, x, _: block(plan, x)), plain), made(shape, 5), PER_OP)


@fast_only
@pytest.mark.parametrize("shape", [(1, 64, 8, 8), (1, 20, 7, 9)])
def test_pooling_activations_and_cropping(shape: tuple[int, ...]) -> None:
    x = made(shape, 6)
    for build, plain in (
        (resizing.max_pool, lambda x: F.max_pool2d(x, 2, 2)),
        (pointwise.elu, F.elu),
        (pointwise.sigmoid, F.sigmoid),
        (
            lambda plan, x: resizing.crop(plan, x, 5, 6),
            lambda x: x[:, :, (x.shape[2] - 5) // 2 :, (x.shape[3] - 6) // 2 :],
        ),
    ):
        cut = (lambda y: y[:, :, :5, :6]) if build.__name__ == "<lambda>" else (lambda y: y)
        wrapped = Wrapped(single(lambda plan, x, _, b=build: b(plan, x)), lambda _, x, p=plain, c=cut: c(p(x)))
        check(wrapped, x, PER_OP)


# The last number is the seed, of the first forty the one whose activations stay farthest from zero.
HOURGLASSES = [
    ("zeros", "bicubic", 3, 24, 40, 23),
    ("reflect", "bilinear", 2, 17, 19, 30),
    ("reflect", "bilinear", 1, 12, 10, 19),
]


@fast_only
@pytest.mark.parametrize(("padding_mode", "upsampling", "scales", "height", "width", "seed"), HOURGLASSES)
@pytest.mark.parametrize("lean", [False, True])
def test_hourglass(
    padding_mode: str, upsampling: str, scales: int, height: int, width: int, seed: int, lean: bool
) -> None:
    ops.set_recompute(lean)
    paddle.seed(seed)
    net = Hourglass(
        in_channels=9, out_channels=6, scales=scales, width=37, padding_mode=padding_mode, upsampling=upsampling
    )
    check_chain(net, made((1, 9, height, width), 8))


@fast_only
@pytest.mark.parametrize("bands", [3, 31])
def test_encoder_merge_and_refinement(bands: int) -> None:
    paddle.seed(1)
    check_chain(VggFeatures(bands=bands), 0.5 + 0.2 * made((1, bands, 34, 41), 2))
    check(Merge(64, bands if bands > 3 else 8, kernel_size=3), made((1, 64, 9, 10), 3), PER_OP)


@fast_only
def test_keeping_less_gives_the_same_bits() -> None:
    paddle.seed(2)
    net = Hourglass(in_channels=9, out_channels=6, scales=2, width=37)
    both = []
    for lean in (False, True):
        ops.set_recompute(lean)
        both.append(results(net, made((1, 9, 21, 18), 8), "float32", fast=True))
    (outs, gradients), (lean_outs, lean_gradients) = both
    assert np.array_equal(outs[0], lean_outs[0])
    for name, gradient in gradients.items():
        assert np.array_equal(gradient, lean_gradients[name]), name


@fast_only
def test_old_bytes_in_the_pool_do_no_harm() -> None:
    paddle.seed(2)
    net = Hourglass(in_channels=9, out_channels=6, scales=2, width=37)
    ops.set_recompute(True)
    x = made((1, 9, 21, 18), 8)
    clean = results(net, x, "float32", fast=True)
    for buffer in autograd._pool.free:
        buffer[: buffer.size // 4 * 4].view(np.float32)[...] = np.nan
    dirty = results(net, x, "float32", fast=True)
    assert np.array_equal(clean[0][0], dirty[0][0])
    for name, gradient in clean[1].items():
        assert np.array_equal(gradient, dirty[1][name]), name


@fast_only
def test_thread_counts_agree() -> None:
    paddle.seed(2)
    conv = Wrapped(single(builders.conv_norm_act), lambda c, x: c(x), ConvNormAct(34, 191, 3, padding_mode="reflect"))
    before, x = ops.threads(), made((1, 34, 20, 20), 1)
    outs = []
    for count in (1, 2, 3):
        assert ops.set_threads(count)
        outs.append(results(conv, x, "float32", fast=True)[0][0])
    ops.set_threads(before)
    assert max(far(out, outs[0]) for out in outs) < PER_OP


@fast_only
def test_two_passes_at_once() -> None:
    paddle.seed(2)
    conv = Wrapped(single(builders.conv), lambda c, x: c(x), Conv2D(20, 31, 3, padding=1))
    first, second = (paddle.to_tensor(made((1, 20, 6, 6), i), stop_gradient=False) for i in (1, 2))
    one, two = conv(first), conv(second)  # both wait for their backward pass: two plans
    one.sum().backward()
    two.sum().backward()
    alone = paddle.to_tensor(made((1, 20, 6, 6), 1), stop_gradient=False)
    conv(alone).sum().backward()
    assert np.array_equal(first.grad.numpy(), alone.grad.numpy())


@fast_only
def test_frozen_parts_and_no_grad() -> None:
    conv = Wrapped(single(builders.conv), lambda c, x: c(x), Conv2D(20, 31, 3, padding=1))
    x = paddle.to_tensor(made((1, 20, 6, 6), 1))
    with paddle.no_grad():
        silent = conv(x)
    assert silent.stop_gradient
    conv.layer.weight.stop_gradient = True
    conv(x).sum().backward()
    assert conv.layer.weight.grad is None
    np.testing.assert_allclose(conv.layer.bias.grad.numpy(), np.full(31, 36.0), rtol=1e-6)


def test_wholly_frozen_convolution_still_hands_the_gradient_on() -> None:
    conv = Wrapped(single(builders.conv), lambda c, x: c(x), Conv2D(20, 31, 3, padding=1))
    gradients = []
    for frozen in (False, True, False):
        for parameter in conv.layer.parameters():
            parameter.stop_gradient = frozen
        x = paddle.to_tensor(made((1, 20, 6, 7), 1), stop_gradient=False)
        conv(x).sum().backward()
        gradients.append(x.grad.numpy())
        slope = conv.layer.weight.grad
        learns = slope is not None and bool(np.abs(slope.numpy()).max() > 0)
        assert learns != frozen  # a plan for the one is not taken for the other
        conv.layer.clear_gradients()
    np.testing.assert_array_equal(gradients[0], gradients[1])
    np.testing.assert_array_equal(gradients[0], gradients[2])


def test_plain_where_plans_cannot_be() -> None:
    conv = Wrapped(single(builders.conv), lambda c, x: c(x), Conv2D(20, 31, 3, padding=1))
    two = paddle.to_tensor(made((2, 20, 6, 6), 1))
    assert autograd.usable(conv, [two]) is None  # a batch of two
    conv.to(dtype="float64")
    assert autograd.usable(conv, [two[:1].astype("float64")]) is None
    ops.set_mode("plain")
    assert mode.library() is None
    assert "as asked for" in ops.active()
    with pytest.raises(ConfigError, match=r"runtime\.cpu_ops"):
        ops.set_mode("fast")


@fast_only
def test_few_channels_inside_run_plain_and_right() -> None:
    fusion = SpatialFusion(bands=5, msi_bands=1)  # 2 channels in the middle: no kernel takes them blocked
    x, missing = (paddle.to_tensor(made((1, c, 8, 8), c)) for c in (5, 1))
    fast = fusion(x, missing).numpy()
    ops.set_mode("plain")
    np.testing.assert_allclose(fast, fusion(x, missing).numpy(), atol=1e-6)


@fast_only
@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_calls_leave_memory_alone(count: int) -> None:
    conv = Wrapped(single(builders.conv_norm_act), lambda c, x: c(x), ConvNormAct(16, 16, 3))
    x = paddle.to_tensor(made((1, 16, 8, 8), 1), stop_gradient=False)

    def calls(count: int) -> None:
        for _ in range(count):
            conv(x).sum().backward()
            conv.clear_gradients()
            x.clear_gradient()

    threads = ops.threads()
    ops.set_threads(1)
    calls(200)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls(count)
    ops.set_threads(threads)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 8, f"{grown:.1f} MB"


@fast_only
def test_plans_go_with_their_layer() -> None:
    conv = Wrapped(single(builders.conv), lambda c, x: c(x), Conv2D(20, 31, 3, padding=1))
    conv(paddle.to_tensor(made((1, 20, 6, 6), 1)))
    count = len(autograd._plans)
    del conv
    gc.collect()
    assert len(autograd._plans) < count


def _child(queue: Any) -> None:
    queue.put(ops.active())


@fast_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_runs_plain() -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(queue,))
    child.start()
    text = queue.get(timeout=30)
    child.join(30)
    assert "forked" in text
    assert "oneDNN" in ops.active()


@fast_only
def test_two_processes_at_once() -> None:
    import subprocess

    script = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import paddle; from paddle_umsft.methods.umsft.attention import Merge\n"
        "paddle.seed(0); net = Merge(64, 31); x = paddle.ones([1, 64, 32, 32])\n"
        "for _ in range(20): y = net(x).sum(); y.backward()\n"
        "print(float(y))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120)[0].strip() for process in running]
    assert answers[0]
    assert answers[0] == answers[1]

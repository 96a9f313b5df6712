"""uHNTC's parts on the fast path against the plain float64 path of the same layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import paddle
import pytest
from test_plans import Wrapped, check, check_chain, fast_only, made, single

from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.layers import Conv2D, instance_norm
from paddle_umsft.methods.networks.ops import builders, pointwise
from paddle_umsft.methods.uhntc.attention import channel_attention
from paddle_umsft.methods.uhntc.encoder import SharedEncoder
from paddle_umsft.methods.uhntc.perceptual import Vgg19Features
from paddle_umsft.methods.uhntc.skip_block import SkipBlock
from paddle_umsft.methods.uhntc.upsampling import BandFilter, Doubling
from paddle_umsft.weights.shapes import vgg19_shapes

pytestmark = fast_only


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    yield
    ops.set_mode("auto")
    ops.set_recompute(None)


@pytest.mark.parametrize("lean", [False, True])
@pytest.mark.parametrize("shape", [(1, 31, 9, 12), (1, 62, 8, 5)])
def test_standardise(shape: tuple[int, ...], lean: bool) -> None:
    ops.set_recompute(lean)
    build = single(lambda plan, x, _: pointwise.standardise(plan, x, 1e-5))
    check(Wrapped(build, lambda _, x: instance_norm(x, 1e-5)), made(shape, 3), 2e-5)


@pytest.mark.parametrize(("channels", "height", "width"), [(31, 9, 12), (63, 8, 8), (256, 5, 7), (16, 6, 6)])
def test_a_kernel_per_channel(channels: int, height: int, width: int) -> None:
    paddle.seed(channels)
    conv = Conv2D(channels, channels, 3, padding=1, groups=channels, bias=False)
    check(Wrapped(single(builders.conv), lambda c, x: c(x), conv), made((1, channels, height, width), 1), 5e-6)


def test_kernels_per_channel_of_few_channels_run_plain_and_right() -> None:
    """An input of fewer channels than a block has more of them in a plan than there are kernels."""
    paddle.seed(4)
    layer = BandFilter(5)
    x = paddle.to_tensor(made((1, 5, 9, 8), 2))
    fast = layer(x).numpy()
    ops.set_mode("plain")
    np.testing.assert_allclose(fast, layer(x).numpy(), atol=1e-6)


@pytest.mark.parametrize("layer", [lambda: Doubling(64, 31), lambda: BandFilter(31), lambda: BandFilter(40)])
def test_upsampling(layer: Any) -> None:
    paddle.seed(5)
    made_layer = layer()
    inside = made_layer.depthwise.weight.shape[0]
    check(made_layer, made((1, inside, 10, 7), 6), 1e-5)


@pytest.mark.parametrize("lean", [False, True])
@pytest.mark.parametrize(("kernel", "scales", "skip"), [(3, 3, 1), (1, 2, 5)])
def test_skip_block(kernel: int, scales: int, skip: int, lean: bool) -> None:
    """ELU hourglass and all; an ELU has no kink at zero that rounding could fall on."""
    ops.set_recompute(lean)
    paddle.seed(7)
    block = SkipBlock(in_channels=31 + 20, bands=31, kernel_size=kernel, scales=scales, skip=skip)
    whole = Wrapped(lambda *_: None, lambda b, x: b(x[:, :20], x[:, 20:]), block)
    whole.forward = lambda x: block(x[:, :20], x[:, 20:])
    check_chain(whole, made((1, 51, 40, 37), 8))


def test_encoder_behind_the_query_convolution() -> None:
    paddle.seed(9)
    encoder = SharedEncoder(bands=31, msi_bands=3)
    encoder.forward = encoder.query_taps
    check_chain(encoder, made((1, 31, 32, 36), 10))


def test_perceptual_features() -> None:
    random = np.random.default_rng(11)
    weights = {
        name: random.standard_normal(shape).astype(np.float32) * np.float32(np.prod(shape[1:]) ** -0.5)
        for name, shape in vgg19_shapes().items()
    }
    features = Vgg19Features(weights)
    results = []
    for mode in ("auto", "plain"):
        ops.set_mode(mode)
        x = paddle.to_tensor(np.abs(made((1, 3, 20, 26), 12)), stop_gradient=False)
        taps = features(x)
        sum((tap**2).mean() for tap in taps).backward()
        results.append([*(tap.numpy() for tap in taps), x.grad.numpy()])
    for fast, plain in zip(*results):
        np.testing.assert_allclose(fast, plain, atol=2e-4 * np.abs(plain).max())


def test_attention() -> None:
    query, key, value = (made((1, 20, 9, 11), seed) for seed in (13, 14, 15))
    results = []
    for mode in ("auto", "plain"):
        ops.set_mode(mode)
        q = paddle.to_tensor(query, stop_gradient=False)
        attended = channel_attention(q, paddle.to_tensor(key), paddle.to_tensor(value))
        (attended * paddle.to_tensor(made((1, 20, 9, 11), 16))).sum().backward()
        results.append((attended.numpy(), q.grad.numpy()))
    for fast, plain in zip(*results):
        np.testing.assert_allclose(fast, plain, atol=1e-5)


def test_attention_whose_keys_learn_takes_the_plain_path() -> None:
    maps = [paddle.to_tensor(made((1, 6, 4, 5), seed), stop_gradient=False) for seed in (17, 18, 19)]
    channel_attention(*maps).sum().backward()
    assert all(np.abs(one.grad.numpy()).max() > 0 for one in maps)

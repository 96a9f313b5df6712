"""Plans in bf16 against float64 and float32: what is rounded, what is not, where it runs, and where it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import paddle
import pytest
from made_up_cases import make_case
from test_plans import CONVOLUTION, CONVOLUTIONS, HOURGLASSES, Wrapped, far, made, results, single

from paddle_umsft.config.load import load_config
from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.environment import has_bf16_instructions
from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.hourglass import Hourglass
from paddle_umsft.methods.networks.layers import BatchNorm, Conv2D
from paddle_umsft.methods.networks.ops import autograd, bf16, builders, mode, pointwise, resizing
from paddle_umsft.methods.networks.vgg import VggFeatures
from paddle_umsft.methods.table import start_trained
from paddle_umsft.methods.uhntc.upsampling import BandFilter, Doubling
from paddle_umsft.methods.umsft.attention import Merge, SpatialFusion

# A bf16 number has 8 bits: rounding to the nearest moves it by up to 2^-9 of itself.
ROUNDING = 2.0**-9
INTEL = "processor : 0\nvendor_id : GenuineIntel\nflags : fpu avx2 avx512f {}\n\nprocessor : 1\nflags : fpu {}\n"
AMD = "processor : 0\nvendor_id : AuthenticAMD\nflags : fpu avx2 {}\n"

library = mode.library()
plans_only = pytest.mark.skipif(library is None, reason=f"no fast path here: {ops.active()}")
kernels_only = pytest.mark.skipif(library is None or not bf16.has_kernels(library), reason="no bf16 kernels here")


@pytest.fixture(autouse=True)
def _anywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """By whatever kernels there are, and on maps of any size: correctness does not hang on either."""
    monkeypatch.setenv(bf16.ANYWHERE, "1")
    monkeypatch.setattr(mode, "FEW_PIXELS", 0)
    yield
    ops.set_mode("auto")
    ops.set_recompute(None)
    ops.set_precision("float32")


def in_bf16(layer: paddle.nn.Layer, x: np.ndarray) -> Any:
    """Outputs and gradients as of `results`."""
    ops.set_precision("bf16")
    found = results(layer, x, "float32", fast=True)
    ops.set_precision("float32")
    plans = [plan for owner in autograd._plans.values() for plan in owner.items()]
    built = [key.dtype for key, idle in plans if idle is not None]
    assert mode.BF16 in built
    return found


def representable(x: np.ndarray) -> np.ndarray:
    """Numbers whose lower half is zero: bf16 has them as they are."""
    return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def rms(x: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(x.astype(np.float64) ** 2)))


def cosine(got: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """Of all gradients together."""
    a, b = (np.concatenate([one[name].ravel() for name in wanted]).astype(np.float64) for one in (got, wanted))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@plans_only
@pytest.mark.parametrize(
    ("cpuinfo", "is_fast"),
    [
        (INTEL.format("avx512_bf16 amx_bf16 amx_tile", ""), True),
        (INTEL.format("avx512_bf16", ""), True),
        (AMD.format("avx512f avx512_bf16"), True),
        (INTEL.format("avx512_vnni", "avx512_bf16"), False),  # the first processor stands for all
        (AMD.format(""), False),
        (AMD.format("avx512_bf16x amx_int8"), False),
        ("", False),
    ],
)
def test_the_processor_decides(cpuinfo: str, is_fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_bf16_instructions(cpuinfo) == is_fast
    monkeypatch.delenv(bf16.ANYWHERE)
    monkeypatch.setattr(bf16, "has_kernels", lambda library: True)
    if is_fast:
        ops.set_precision("bf16", cpuinfo)
        assert ops.computes_in() == "bf16"
        assert "in bf16" in ops.active()
        return
    said = r"runtime\.precision: no bf16 here.*without amx_bf16 and avx512_bf16"
    with pytest.raises(ConfigError, match=said) as caught:
        ops.set_precision("bf16", cpuinfo)
    assert "\n" not in str(caught.value)
    assert ops.computes_in() == "float32"
    monkeypatch.setenv(bf16.ANYWHERE, "1")
    ops.set_precision("bf16", cpuinfo)
    monkeypatch.setattr(bf16, "has_kernels", lambda library: False)
    with pytest.raises(ConfigError, match="without bf16 kernels"):
        ops.set_precision("bf16", cpuinfo)


def test_refused_without_plans() -> None:
    ops.set_mode("plain")
    with pytest.raises(ConfigError, match="plain Paddle operators"):
        ops.set_precision("bf16")
    with pytest.raises(ConfigError, match=r"runtime\.precision.*float32 or bf16"):
        ops.set_precision("bfloat16")


@pytest.mark.parametrize("other", ["dtype=float64", "cpu_ops=plain", "device=gpu"])
def test_settings_that_exclude_each_other(other: str) -> None:
    key, _, value = other.partition("=")
    with pytest.raises(ConfigError, match=rf"precision: bf16.*{key}|on a GPU there is amp") as caught:
        load_config(overrides=["runtime.precision=bf16", f"runtime.{key}={value}"])
    assert "\n" not in str(caught.value)
    assert load_config(overrides=["runtime.precision=bf16"]).digest() != load_config().digest()
    assert load_config(overrides=["runtime.precision=float32"]).digest() == load_config().digest()


@kernels_only
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize(CONVOLUTION, CONVOLUTIONS)
def test_convolution(
    inside: int, outside: int, kernel: int, stride: int, height: int, width: int, padding_mode: str
) -> None:
    paddle.seed(inside)
    conv = Conv2D(inside, outside, kernel, stride=stride, padding=kernel // 2, padding_mode=padding_mode)
    layer = Wrapped(single(builders.conv), lambda c, x: c(x), conv)
    x = made((1, inside, height, width), 1)
    outs, gradients = in_bf16(layer, x)
    true_outs, true_gradients = results(layer, x, "float64", fast=False)
    # Two factors are rounded, and what comes out; reflection adds once more.
    assert ROUNDING / 100 < far(outs[0], true_outs[0]) <= 3 * ROUNDING
    for name, wanted in true_gradients.items():
        assert far(gradients[name], wanted) <= 3 * ROUNDING, name
        assert rms(gradients[name] - wanted) <= ROUNDING * rms(wanted) * 2, name


@kernels_only
def test_sums_are_float32() -> None:
    """With numbers that bf16 has, nothing but the sums is rounded, and those no more than float32's are."""
    paddle.seed(4)
    conv = Conv2D(191, 20, 3, padding=1)
    conv.weight.set_value(representable(conv.weight.numpy()))
    build = single(lambda plan, x, layer: builders.conv(plan, x, layer, exact=True))
    layer = Wrapped(build, lambda c, x: c(x), conv)
    x = representable(made((1, 191, 9, 14), 2))
    ops.set_precision("bf16")
    tensor = paddle.to_tensor(x, stop_gradient=False)
    out = layer(tensor)
    out.sum().backward()
    gradients = {name: p.grad.numpy() for name, p in layer.named_parameters()}
    layer.clear_gradients()

    ops.set_precision("float32")
    ops.set_mode("plain")
    layer.to(dtype="float64")
    true_out = layer(paddle.to_tensor(x.astype(np.float64)))
    true_out.sum().backward()
    assert far(out.numpy(), true_out.numpy()) <= 5e-6
    for name, parameter in layer.named_parameters():
        assert far(gradients[name], parameter.grad.numpy()) <= 5e-6, name


@kernels_only
def test_statistics_are_float32() -> None:
    norm = BatchNorm(33)
    build = single(lambda plan, x, layer: builders.norm(plan, x, layer, 0.2))
    layer = Wrapped(build, lambda n, x: n(x), norm)
    # Far from zero, so that a mean or a variance of 8 bits would be far off.
    x = representable(4 + made((1, 33, 24, 17), 3))
    in_bf16(layer, x)
    step = 1 - norm._momentum
    cube = x.astype(np.float64)[0].reshape(33, -1)
    np.testing.assert_allclose(norm._mean.numpy() / step, cube.mean(axis=1), rtol=2e-6)
    moved = norm._variance.numpy().astype(np.float64) - norm._momentum
    np.testing.assert_allclose(moved / step, cube.var(axis=1), rtol=2e-5)


@kernels_only
@pytest.mark.parametrize(
    "build",
    [
        resizing.max_pool,
        resizing.upsample_bilinear,
        resizing.upsample_bicubic,
        pointwise.elu,
        pointwise.sigmoid,
        lambda plan, x: resizing.crop(plan, x, 4, 6),
    ],
)
def test_what_stands_between_convolutions(build: Callable[..., Any]) -> None:
    """Against the same plan in float32, which other tests hold to Paddle's own operators."""
    layer = Wrapped(single(lambda plan, x, _: build(plan, x)), lambda _, x: x)
    x = representable(made((1, 20, 7, 9), 5))
    wanted, true_gradients = results(layer, x, "float32", fast=True)
    outs, gradients = in_bf16(layer, x)
    assert far(outs[0], wanted[0]) <= 2 * ROUNDING
    assert far(gradients["input"], true_gradients["input"]) <= 4 * ROUNDING


@kernels_only
@pytest.mark.parametrize(("padding_mode", "upsampling", "scales", "height", "width", "seed"), HOURGLASSES)
def test_hourglass(padding_mode: str, upsampling: str, scales: int, height: int, width: int, seed: int) -> None:
    paddle.seed(seed)
    net = Hourglass(
        in_channels=9, out_channels=6, scales=scales, width=37, padding_mode=padding_mode, upsampling=upsampling
    )
    x = made((1, 9, height, width), 8)
    wanted, true_gradients = results(net, x, "float32", fast=True)
    both = []
    for lean in (False, True):
        ops.set_recompute(lean)
        # What lies about in buffers must not get into the unused channels of a block.
        for buffer in autograd._pool.free:
            buffer[...] = 255
        both.append(in_bf16(net, x))
    (outs, gradients), (lean_outs, lean_gradients) = both
    assert np.array_equal(outs[0], lean_outs[0])
    assert all(np.array_equal(gradient, lean_gradients[name]) for name, gradient in gradients.items())
    # A chain of normalisations by few pixels multiplies rounding.
    assert rms(outs[0] - wanted[0]) <= 0.02 * np.abs(wanted[0]).max()
    assert cosine(gradients, true_gradients) > 0.97


@kernels_only
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: VggFeatures(bands=31), (1, 31, 34, 41)),
        (lambda: Merge(64, 31, kernel_size=3), (1, 64, 9, 10)),
        (lambda: Doubling(64, 31), (1, 64, 8, 9)),
        (lambda: BandFilter(31), (1, 31, 8, 9)),
    ],
)
def test_other_parts(layer: Callable[[], paddle.nn.Layer], shape: tuple[int, ...]) -> None:
    paddle.seed(1)
    net = layer()
    x = 0.5 + 0.2 * made(shape, 2)
    wanted, true_gradients = results(net, x, "float32", fast=True)
    outs, gradients = in_bf16(net, x)
    for got, true in zip(outs, wanted):
        assert rms(got - true) <= 0.02 * np.abs(true).max()
    assert cosine(gradients, true_gradients) > 0.98


@kernels_only
def test_what_is_added_to_the_result_keeps_its_bits() -> None:
    paddle.seed(3)
    fusion = SpatialFusion(bands=31, msi_bands=4)
    x, missing = (paddle.to_tensor(made((1, c, 8, 9), c)) for c in (31, 4))
    wanted = fusion(x, missing).numpy()
    ops.set_precision("bf16")
    assert np.array_equal(fusion(x, missing).numpy(), wanted)


@kernels_only
def test_float32_is_as_if_bf16_had_never_been() -> None:
    paddle.seed(2)
    net = Hourglass(in_channels=9, out_channels=6, scales=2, width=37)
    x = made((1, 9, 21, 18), 8)
    before = results(net, x, "float32", fast=True)
    rough = in_bf16(net, x)
    after = results(net, x, "float32", fast=True)
    assert not np.array_equal(rough[0][0], before[0][0])
    assert np.array_equal(before[0][0], after[0][0])
    assert all(np.array_equal(gradient, after[1][name]) for name, gradient in before[1].items())


@kernels_only
def test_a_run_says_in_what_it_computed() -> None:
    small = ["uhntc.warm_up.iterations=2", "uhntc.warm_up.joint_iterations=2", "uhntc.iterations=3", "method=uhntc"]
    observation = make_case(40, 48, 8, scale=4).observation
    cubes = {}
    for precision in ("float32", "bf16"):
        solver = start_trained(observation, load_config("uhntc.yml", [*small, f"runtime.precision={precision}"]))
        assert f"plans in {precision}" in "\n".join(solver.announce(resumed=False))
        result = solver.result(list(solver.run()))
        assert result.extras["precision"] == precision
        assert all(p.dtype == paddle.float32 for p in solver.model.network.parameters())
        cubes[precision] = result.fused
    assert np.isfinite(cubes["bf16"]).all()
    assert not np.array_equal(cubes["bf16"], cubes["float32"])


@kernels_only
def test_maps_of_few_pixels_stay_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    paddle.seed(3)
    merge = Merge(64, 31)
    x = paddle.to_tensor(made((1, 64, 7, 9), 1))
    wanted = merge(x).numpy()
    ops.set_precision("bf16")
    monkeypatch.setattr(mode, "FEW_PIXELS", 7 * 9)
    assert np.array_equal(merge(x).numpy(), wanted)
    monkeypatch.setattr(mode, "FEW_PIXELS", 7 * 9 - 1)
    assert not np.array_equal(merge(x).numpy(), wanted)

"""An encoder with its merges in one plan, against each in a plan of its own and against Paddle's operators."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import paddle
import pytest

from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.ops import autograd, bf16, mode
from paddle_umsft.methods.networks.vgg import TAP_CHANNELS, VggFeatures
from paddle_umsft.methods.umsft.attention import Merge
from paddle_umsft.methods.umsft.encoding import MergedEncoder
from paddle_umsft.methods.umsft.network import UMSFT

BANDS = 5
HEIGHT, WIDTH = 16, 24

library = mode.library()
plans_only = pytest.mark.skipif(library is None, reason=f"no fast path here: {ops.active()}")
Found = tuple[list[np.ndarray], list[np.ndarray]]


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    yield
    ops.set_mode("auto")
    ops.set_precision("float32")


def encoder() -> MergedEncoder:
    paddle.seed(4)
    fine, middle, coarse = TAP_CHANNELS
    merges = [Merge(fine, BANDS), Merge(middle, BANDS), Merge(coarse, BANDS, kernel_size=3)]
    return MergedEncoder(VggFeatures(bands=BANDS), merges)


def results(encoding: MergedEncoder, merged: list[paddle.Tensor]) -> Found:
    """Values, and gradients of all parameters of a random linear function of them."""
    draw = np.random.default_rng(3).standard_normal
    weighted = []
    for one in merged:
        weights = draw(one.shape).astype(np.float32)
        weighted.append((one * paddle.to_tensor(weights)).sum())
    paddle.add_n(weighted).backward()
    parameters = [*encoding.parameters(), *encoding.last.parameters()]
    parameters = [parameter for parameter in parameters if not parameter.stop_gradient]
    gradients = [parameter.grad.numpy() for parameter in parameters]
    for parameter in parameters:
        parameter.clear_gradient()
    return [one.numpy() for one in merged], gradients


def image() -> paddle.Tensor:
    return paddle.to_tensor(np.random.default_rng(2).random((1, BANDS, HEIGHT, WIDTH), np.float32))


@plans_only
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_together_they_give_the_bits_that_they_give_apart(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if precision == "bf16" and not bf16.has_kernels(library):
        pytest.skip("no bf16 kernels here")
    monkeypatch.setenv(bf16.ANYWHERE, "1")
    monkeypatch.setattr(mode, "FEW_PIXELS", 0)
    ops.set_precision(precision)
    encoding = encoder()
    x = image()
    values, gradients = results(encoding, encoding(x))
    assert encoding in autograd._plans
    assert [value.shape[2:] for value in values] == [(16, 24), (8, 12), (2, 3)]
    apart, gradients_apart = results(encoding, encoding.merged(encoding.encoder(x)))
    for got, wanted in zip([*values, *gradients], [*apart, *gradients_apart]):
        assert np.array_equal(got, wanted)
        assert got.any()


@plans_only
def test_no_tap_leaves_the_plan_but_the_coarsest() -> None:
    encoding = encoder()
    encoding(image())
    # Nobody holds the maps, so the plan has been given back.
    (idle,) = autograd._plans[encoding].values()
    assert idle is not None
    (plan,) = idle
    assert [border.shape[1] for border in plan.outputs] == [BANDS, BANDS, TAP_CHANNELS[2]]


def test_without_plans_it_is_the_layers_one_after_the_other() -> None:
    ops.set_mode("plain")
    encoding = encoder()
    x = image()
    for got, wanted in zip(encoding(x), encoding.merged(encoding.encoder(x))):
        assert np.array_equal(got.numpy(), wanted.numpy())


def test_the_network_has_every_layer_under_one_name() -> None:
    net = UMSFT(bands=BANDS, msi_bands=3, width=16)
    assert not [name for name in net.state_dict() if "encoding" in name]
    net.eval()
    assert not net._encodings[0].training

"""What of mixed precision, cuDNN's switches and recomputation can be tested on a CPU."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import paddle
import pytest

from paddle_umsft import ops
from paddle_umsft.errors import ConfigError
from paddle_umsft.networks.hourglass import Hourglass
from paddle_umsft.networks.vgg import VggFeatures


@pytest.fixture(autouse=True)
def _plain() -> Iterator[None]:
    ops.set_mode("plain")
    yield
    ops.set_mode("auto")
    ops.set_recompute(None)


def _gradients(net: paddle.nn.Layer, x: paddle.Tensor) -> dict[str, np.ndarray]:
    out = net(x)
    sum((o * o).mean() for o in (out if isinstance(out, tuple) else (out,))).backward()
    found = {name: p.grad.numpy() for name, p in net.named_parameters() if p.grad is not None}
    net.clear_gradients()
    return found


@pytest.mark.parametrize("kind", ["hourglass", "encoder"])
@pytest.mark.parametrize("fixed_input", [True, False])
def test_recomputation_gives_the_same_gradients(kind: str, fixed_input: bool) -> None:
    paddle.seed(0)
    net = VggFeatures(bands=4) if kind == "encoder" else Hourglass(in_channels=4, out_channels=3, scales=1, width=8)
    x = paddle.rand([1, 4, 24, 24])
    x.stop_gradient = fixed_input
    kept = _gradients(net, x)
    ops.set_recompute(True)
    again = _gradients(net, x)
    assert kept.keys() == again.keys()
    for name, gradient in kept.items():
        np.testing.assert_allclose(again[name], gradient, atol=1e-7 + 1e-5 * np.abs(gradient).max(), err_msg=name)


@pytest.mark.skipif(paddle.get_device().startswith("gpu"), reason="there it does something")
def test_mixed_precision_does_nothing_on_a_cpu() -> None:
    losses = {}
    for level in ("off", "O1"):
        paddle.seed(0)
        layer = paddle.nn.Conv2D(3, 3, 3)
        optimizer = paddle.optimizer.AdamW(1e-2, parameters=layer.parameters())
        precision = ops.MixedPrecision(level)
        x = paddle.ones([1, 3, 12, 12])
        for _ in range(5):
            with precision.forward():
                loss = (layer(x) - 0.5).square().mean()
            precision.backward(loss)
            precision.step(optimizer)
            precision.update()
            optimizer.clear_grad()
        losses[level] = float(loss)
    assert losses["O1"] == losses["off"]


def test_o1_on_a_cpu_is_off_and_levels_are_checked() -> None:
    assert not ops.MixedPrecision("O1").active or paddle.get_device().startswith("gpu")
    with pytest.raises(ConfigError, match=r"runtime\.amp"):
        ops.MixedPrecision("O2")


def test_cudnn_switches_say_whether_they_exist() -> None:
    assert ops.set_cudnn(deterministic=True) == paddle.device.is_compiled_with_cuda()

"""What of mixed precision, cuDNN's switches and recomputation can be tested on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Optional

import numpy as np
import paddle
import pytest
from paddle.amp import grad_scaler
from paddle.amp.auto_cast import amp_global_state

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.config.load import load_config
from paddle_umsft.config.umsft import StepRate
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import ConfigError
from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.hourglass import Hourglass
from paddle_umsft.methods.networks.ops.precision import loss_scaler
from paddle_umsft.methods.networks.vgg import VggFeatures
from paddle_umsft.methods.networks.warm_up import Moves, Stage
from paddle_umsft.methods.table import start_trained
from paddle_umsft.runs.checkpoint import load_checkpoint, save_checkpoint


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
            precision.step(layer.parameters(), optimizer.step)
            optimizer.clear_grad()
        losses[level] = float(loss)
    assert losses["O1"] == losses["off"]


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> ops.MixedPrecision:
    """Loss scaling at work on a CPU, where Paddle switches it off; forward and backward stay in float32."""
    tracer = SimpleNamespace(_expected_place=SimpleNamespace(is_gpu_place=lambda: True))
    monkeypatch.setattr(grad_scaler, "_dygraph_tracer", lambda: tracer)
    monkeypatch.setattr(amp_global_state(), "amp_dtype", "float16")
    precision = ops.MixedPrecision("off")
    precision._scaler = loss_scaler()
    return precision


def _shared_steps(precision: Optional[ops.MixedPrecision]) -> list[np.ndarray]:
    """Three steps where two optimisers move the same parameter, as the SRF in the joint stage (P2)."""
    paddle.seed(0)
    network, srf = (paddle.create_parameter([4, 4], "float32") for _ in range(2))
    rate = StepRate(lr=0.1, weight_decay=0.01)
    moves = {name: Moves(moved, rate, decoupled=True) for name, moved in (("network", [network, srf]), ("srf", [srf]))}
    stage = Stage(3, moves, precision)
    for _ in range(3):
        stage._descend({"loss": (network @ srf - 1.0).square().mean()})
    return [network.numpy(), srf.numpy()]


def test_loss_scaling_changes_nothing_where_two_optimisers_share_a_parameter(scaling: ops.MixedPrecision) -> None:
    # AdamW is blind to a factor on all gradients but for its epsilon, so a second division shows in the last bits.
    for plain, scaled in zip(_shared_steps(None), _shared_steps(scaling)):
        np.testing.assert_array_equal(scaled, plain)
    assert scaling.state_dict()["incr_count"] == 3


def test_scale_goes_through_a_checkpoint(scaling: ops.MixedPrecision, tmp_path: Path) -> None:
    case = simulate(dead_leaves_scene(128, 128, 4), ObserveConfig(scale=8, srf="uniform"))
    config = load_config(overrides=["network.width=4", "network.skip=2"])
    solver = start_trained(case.observation, config)
    assert "loss_scaling" not in solver.state_dict()
    solver.fusion.precision = scaling
    assert scaling._scaler is not None
    scaling._scaler.set_init_loss_scaling(256.0)
    save_checkpoint(tmp_path, solver, config)
    scaling._scaler.set_init_loss_scaling(8.0)
    load_checkpoint(tmp_path / "iter_0", solver, config)
    assert scaling.state_dict()["scale"] == 256


@pytest.mark.parametrize("broken", [0, 1])
def test_one_gradient_that_is_not_finite_stops_every_optimiser(scaling: ops.MixedPrecision, broken: int) -> None:
    parameters = [paddle.create_parameter([2], "float32") for _ in range(2)]
    before = [parameter.numpy() for parameter in parameters]
    optimizers = [paddle.optimizer.SGD(0.1, parameters=[parameter]) for parameter in parameters]
    factors = [float("inf") if index == broken else 1.0 for index in range(2)]
    scaling.backward(sum((f * p).sum() for f, p in zip(factors, parameters)))
    for _ in range(2):

        def step_all() -> None:
            for optimizer in optimizers:
                optimizer.step()

        scaling.step(parameters, step_all)
    for parameter, value in zip(parameters, before):
        np.testing.assert_array_equal(parameter.numpy(), value)
    assert scaling.state_dict()["scale"] == 256


def test_o1_on_a_cpu_is_off_and_levels_are_checked() -> None:
    assert not ops.MixedPrecision("O1").active or paddle.get_device().startswith("gpu")
    with pytest.raises(ConfigError, match=r"runtime\.amp"):
        ops.MixedPrecision("O2")


def test_cudnn_switches_say_whether_they_exist() -> None:
    assert ops.set_cudnn(deterministic=True) == paddle.device.is_compiled_with_cuda()

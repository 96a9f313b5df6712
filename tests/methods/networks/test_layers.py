"""Batch normalisation uses the batch at hand, whatever the mode, and trains as Paddle's own does."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.hourglass import Hourglass
from paddle_umsft.methods.networks.layers import BatchNorm
from paddle_umsft.methods.networks.vgg import VggFeatures


def _map(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(3.0, 2.0, (1, 5, 12, 8)).astype(np.float32)


def test_training_is_that_of_paddle_to_the_last_bit() -> None:
    found = []
    for layer in (BatchNorm(5), nn.BatchNorm2D(5, momentum=0.9, epsilon=1e-5)):
        layer.train()
        x = paddle.to_tensor(_map(0), stop_gradient=False)
        y = layer(x)
        (y * paddle.to_tensor(_map(1))).sum().backward()
        tensors = (y, x.grad, layer.weight.grad, layer.bias.grad, layer._mean, layer._variance)
        found.append([tensor.numpy() for tensor in tensors])
    for own, plain in zip(*found):
        np.testing.assert_array_equal(own, plain)


@pytest.mark.parametrize("way", ["plain", "auto"])
def test_eval_normalises_by_the_batch_too(way: str) -> None:
    """A map far from the running statistics, which a network fresh from training does not have yet."""
    x = _map(2)
    wanted = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5)
    layer = BatchNorm(5)
    layer.eval()
    ops.set_mode(way)
    try:
        np.testing.assert_allclose(layer(paddle.to_tensor(x)).numpy(), wanted, atol=1e-5)
        paddle.seed(3)
        layers = Hourglass(in_channels=7, out_channels=5, scales=2, width=6, skip=2), VggFeatures(bands=7)
        inputs = paddle.to_tensor(np.random.default_rng(4).random((1, 7, 32, 48)).astype(np.float32))
        for layer in layers:
            with paddle.no_grad():
                layer.train()
                trained = _arrays(layer(inputs))
                layer.eval()
                for one, other in zip(trained, _arrays(layer(inputs))):
                    np.testing.assert_allclose(other, one, atol=0 if way == "plain" else 1e-4)
    finally:
        ops.set_mode("auto")


def _arrays(outputs: object) -> list[np.ndarray]:
    tensors = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [tensor.numpy() for tensor in tensors]

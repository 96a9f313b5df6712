"""What Paddle keeps as float32 whatever the type, against closed forms in extended precision; float32 to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from paddle.optimizer.lr import LambdaDecay

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.methods.networks.exact import AdamW, for_batch_norm
from paddle_umsft.methods.networks.layers import BatchNorm
from paddle_umsft.methods.networks.runtime import computing_in

LONG = np.longdouble
EPSILON, RATE, DECAY = 1e-5, 2e-3, 0.01


def normalised(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, slope: np.ndarray) -> tuple[Any, ...]:
    """Batch normalisation and its gradients by x, weight and bias, as the textbook has them."""
    x, slope = x.astype(LONG), slope.astype(LONG)
    axes = (0, 2, 3)
    pixels = x.size // x.shape[1]
    centred = x - x.mean(axes, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axes, keepdims=True) + LONG(EPSILON))
    unit = centred / deviation
    by_weight, by_bias = (slope * unit).sum(axes, keepdims=True), slope.sum(axes, keepdims=True)
    weight, bias = weight.reshape(1, -1, 1, 1), bias.reshape(1, -1, 1, 1)
    by_x = weight / deviation * (slope - by_bias / pixels - unit * by_weight / pixels)
    return unit * weight + bias, by_x, by_weight.ravel(), by_bias.ravel()


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("deviation", [1e-5, 3e-3, 1.0])
@pytest.mark.parametrize("shape", [(1, 5, 12, 17), (2, 3, 9, 4)])
def test_batch_norm_of_float64_is_that_of_the_textbook(shape: tuple[int, ...], deviation: float) -> None:
    random = np.random.default_rng(7)
    x, slope = random.normal(0.3 * deviation, deviation, shape), random.normal(size=shape)
    weight, bias = random.normal(1.0, 0.1, shape[1]), random.normal(size=shape[1])
    with computing_in(RuntimeConfig(dtype="float64")):
        layer = BatchNorm(shape[1])
    layer.weight.set_value(weight)
    layer.bias.set_value(bias)
    tensor = paddle.to_tensor(x, stop_gradient=False)
    y = layer(tensor)
    (y * paddle.to_tensor(slope)).sum().backward()
    found = (y, tensor.grad, layer.weight.grad, layer.bias.grad)
    for got, wanted in zip(found, normalised(x, weight, bias, slope)):
        assert difference(got.numpy(), wanted) <= 5e-15


def test_batch_norm_of_float32_gets_its_input_as_it_is() -> None:
    x = paddle.ones([1, 2, 3, 4], "float32")
    assert for_batch_norm(x, EPSILON) is x


def decline(done: int) -> float:
    """What the rate is multiplied by; no power of two."""
    return float(0.7 ** (done // 3))


def in_extended_precision(start: np.ndarray, gradients: np.ndarray) -> list[np.ndarray]:
    """The weights after each step of AdamW, as its paper has it."""
    weights, mean, square = start.astype(LONG), LONG(0), LONG(0)
    past, past_square, least = LONG(0.9), LONG(0.999), LONG(1e-8)
    steps = []
    for done, gradient in enumerate(gradients.astype(LONG)):
        rate = LONG(RATE * decline(done))
        weights = weights * (1 - rate * LONG(DECAY))
        mean = past * mean + (1 - past) * gradient
        square = past_square * square + (1 - past_square) * gradient**2
        whole, whole_square = 1 - past ** (done + 1), 1 - past_square ** (done + 1)
        weights = weights - rate * (mean / whole) / (np.sqrt(square / whole_square) + least)
        steps.append(weights)
    return steps


def parameter_of(start: np.ndarray) -> paddle.Tensor:
    start_there = paddle.nn.initializer.Assign(start)
    return paddle.create_parameter(list(start.shape), str(start.dtype), default_initializer=start_there)


def in_paddle(cls: Any, start: np.ndarray, gradients: np.ndarray) -> list[np.ndarray]:
    """The weights after each step of an optimiser of that class."""
    parameter, schedule = parameter_of(start), LambdaDecay(RATE, decline)
    optimizer = cls(schedule, parameters=[parameter], weight_decay=DECAY)
    steps = []
    for gradient in gradients:
        (parameter * paddle.to_tensor(gradient)).sum().backward()
        optimizer.step()
        schedule.step()
        optimizer.clear_grad()
        steps.append(parameter.numpy().copy())
    return steps


# Where the gradients are as small as AdamW's own epsilon, what that is rounded to counts most.
@pytest.mark.parametrize("size", [1.0, 1e-6, 1e-9])
def test_adamw_of_float64_is_that_of_its_paper(size: float) -> None:
    random = np.random.default_rng(3)
    start, gradients = random.normal(size=40), size * random.normal(size=(10, 40))
    found, wanted = in_paddle(AdamW, start, gradients), in_extended_precision(start, gradients)
    for got, exact in zip(found, wanted):
        assert np.abs(got - exact).max() <= 2e-12 * RATE  # of a step; Paddle's own is off by 9e-9 after ten


def test_adamw_of_float32_is_that_of_paddle_to_the_last_bit() -> None:
    random = np.random.default_rng(4)
    start, gradients = (random.normal(size=size).astype(np.float32) for size in (40, (10, 40)))
    np.testing.assert_array_equal(
        in_paddle(AdamW, start, gradients), in_paddle(paddle.optimizer.AdamW, start, gradients)
    )


def test_adamw_leaves_alone_what_has_no_gradient() -> None:
    start = np.linspace(1.0, 2.0, 5)
    moved, alone, fixed = (parameter_of(start) for _ in range(3))
    fixed.stop_gradient = True
    optimizer = AdamW(RATE, parameters=[moved, alone, fixed], weight_decay=DECAY)
    (moved * moved).sum().backward()
    optimizer.step()
    assert np.abs(moved.numpy() - start).min() > 0
    np.testing.assert_array_equal(alone.numpy(), start)
    np.testing.assert_array_equal(fixed.numpy(), start)

"""Operators whose Paddle versions round to float32 inside, whatever the tensor's type.

An attribute of an operator is a float32 in Paddle, also where the tensors are float64. Batch normalisation's epsilon
is off by 3e-8 of itself, which puts gradients off by 3e-9, and where attention saturates AdamW turns that into 1e-4 of
the loss within three steps. AdamW's decay is off as much. The slope of Paddle 2.6's LeakyReLU puts gradients off by up
to 2e-4. The average pool's gradient divides by the window's size in float32. And where an output pixel of a bilinear
resize falls is computed in float32: at scales that are no power of two the result is off by 1e-6.

Each function here gives the float64 result to the last digits, and Paddle's own, bit for bit, in float32, where none
of this matters. docs/parity.md lists what was measured, operators that are exact as they are among them.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F

_CUBIC = -0.75  # Keys' parameter, as PyTorch and Paddle have it


def leaky_relu(x: paddle.Tensor, negative_slope: float) -> paddle.Tensor:
    """LeakyReLU with the slope in the type of x, any shape."""
    if x.dtype != paddle.float64:
        return F.leaky_relu(x, negative_slope)
    return paddle.where(x > 0, x, x * paddle.to_tensor(negative_slope, dtype="float64"))


def for_batch_norm(x: paddle.Tensor, epsilon: float) -> paddle.Tensor:
    """Scale x, of any shape, such that Paddle's batch normalisation of it has its epsilon in the type of x.

    With e for what Paddle adds to the variance v instead of epsilon, and k = sqrt(e / epsilon),
    k·x / sqrt(k²·v + e) = x / sqrt(v + epsilon), and the gradients with it. Composing the whole operator of exact ones
    gives the same digits at ten times the time.
    """
    if x.dtype != paddle.float64:
        return x
    return x * math.sqrt(_epsilon_in_use(epsilon, paddle.get_device()) / epsilon)


@functools.cache
def _epsilon_in_use(epsilon: float, device: str) -> float:
    """What batch normalisation in float64 adds to the variance on this device: measured, as versions may differ."""
    deviation = math.sqrt(epsilon)
    pair = paddle.to_tensor([[-deviation], [deviation]], dtype="float64")  # (2, 1): mean 0, variance epsilon
    running_mean, bias = paddle.zeros([1], "float64"), paddle.zeros([1], "float64")
    running_variance, weight = paddle.ones([1], "float64"), paddle.ones([1], "float64")
    with paddle.no_grad():
        normalised = F.batch_norm(pair, running_mean, running_variance, weight, bias, training=True, epsilon=epsilon)
    found = abs(float(normalised.numpy()[1, 0]))  # deviation / sqrt(deviation² + what is added)
    return (deviation / found) ** 2 - deviation**2


class AdamW(paddle.optimizer.AdamW):
    """AdamW whose decay is in the type of the parameters.

    Args:
        learning_rate: A number or a schedule.
        parameters: What it moves; all of one type.
        weight_decay: Share of a parameter that goes with each step, times the rate.
    """

    def __init__(self, learning_rate: Any, *, parameters: list[paddle.Tensor], weight_decay: float) -> None:
        double = any(parameter.dtype == paddle.float64 for parameter in parameters)
        # Paddle's operator takes the decay as a float32: in float64 it gets none, and `step` does it.
        self._decay_here = weight_decay if double else 0.0
        super().__init__(learning_rate, parameters=parameters, weight_decay=0.0 if double else weight_decay)

    def step(self) -> None:
        """Decay, then move; parameters without a gradient stay."""
        if self._decay_here:
            kept = 1.0 - self.get_lr() * self._decay_here
            with paddle.no_grad():
                for parameter in self._parameter_list:
                    if not parameter.stop_gradient and parameter.grad is not None:
                        paddle.assign(parameter * kept, output=parameter)
        super().step()


def average_pool(x: paddle.Tensor, size: int) -> paddle.Tensor:
    """Mean of blocks: (B, 1, H, W) -> (B, 1, H/size, W/size)."""
    if x.dtype != paddle.float64:
        return F.avg_pool2d(x, kernel_size=size, stride=size)
    return F.conv2d(x, paddle.to_tensor(np.full((1, 1, size, size), 1.0 / size**2)), stride=size)


def bilinear_matrix(length: int, new_length: int) -> np.ndarray:
    """Weights that resize a line, corners not aligned: (new_length, length) float64, each row sums to 1."""
    position = (np.arange(new_length) + 0.5) * (length / new_length) - 0.5
    position = np.maximum(position, 0.0)  # beyond the first pixel's centre the first pixel goes on
    left = np.minimum(np.floor(position).astype(int), length - 1)
    right = np.minimum(left + 1, length - 1)
    share = position - left
    matrix = np.zeros((new_length, length))
    rows = np.arange(new_length)
    np.add.at(matrix, (rows, left), 1.0 - share)
    np.add.at(matrix, (rows, right), share)
    return matrix


def bicubic_matrix(length: int, new_length: int) -> np.ndarray:
    """Weights that resize a line by Keys' cubic with a = -0.75, corners not aligned, borders repeated.

    Shrinking takes the same four neighbours as enlarging: nothing is averaged, as in PyTorch.

    Returns:
        (new_length, length) float64, each row sums to 1.
    """
    position = (np.arange(new_length) + 0.5) * (length / new_length) - 0.5
    first = np.floor(position).astype(int) - 1
    matrix = np.zeros((new_length, length))
    rows = np.arange(new_length)
    for tap in range(4):
        column = first + tap
        distance = np.abs(position - column)
        near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
        far = _CUBIC * (((distance - 5) * distance + 8) * distance - 4)
        weight = np.where(distance <= 1, near, far)
        np.add.at(matrix, (rows, np.clip(column, 0, length - 1)), weight)
    return matrix


def resize_bilinear(x: paddle.Tensor, height: int, width: int) -> paddle.Tensor:
    """Resize (B, C, H, W) to (B, C, height, width), linear, without aligned corners."""
    return _resize(x, bilinear_matrix(int(x.shape[2]), height), bilinear_matrix(int(x.shape[3]), width))


def resize_bicubic(x: paddle.Tensor, height: int, width: int) -> paddle.Tensor:
    """Resize (B, C, H, W) to (B, C, height, width), cubic, without aligned corners."""
    return _resize(x, bicubic_matrix(int(x.shape[2]), height), bicubic_matrix(int(x.shape[3]), width))


def _resize(x: paddle.Tensor, rows: np.ndarray, columns: np.ndarray) -> paddle.Tensor:
    """Two matrix products, in the type of x."""
    dtype = str(x.dtype).rsplit(".", 1)[-1]
    across = paddle.matmul(x, paddle.to_tensor(columns.astype(dtype)), transpose_y=True)  # (B, C, H, width)
    return paddle.matmul(paddle.to_tensor(rows.astype(dtype)), across)  # (B, C, height, width)

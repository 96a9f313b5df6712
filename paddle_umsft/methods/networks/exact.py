"""Operators whose Paddle versions round to float32 inside, whatever the tensor's type.

An attribute of an operator is a float32 in Paddle, also where the tensors are float64. Batch normalisation's epsilon
is off by 3e-8 of itself, which puts gradients off by 3e-9, and where attention saturates AdamW turns that into 1e-4 of
the loss within three steps. AdamW's decay is off as much. The slope of Paddle 2.6's LeakyReLU puts gradients off by up
to 2e-4, and a number that 2.6 adds to a tensor is one of float32, which instance normalisation notices. The average
pool's gradient divides by the window's size in float32. And where an output pixel of a bilinear resize falls is
computed in float32: at scales that are no power of two the result is off by 1e-6.

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

_KEYS = -0.75  # the cubic's parameter, as PyTorch and Paddle have it
_CUBIC_TAPS = (-1, 0, 1, 2)  # neighbours with a weight, counted from the one to the left


def leaky_relu(x: paddle.Tensor, negative_slope: float) -> paddle.Tensor:
    """LeakyReLU with the slope in the type of x, any shape."""
    if x.dtype != paddle.float64:
        return F.leaky_relu(x, negative_slope)
    slope = paddle.to_tensor(negative_slope, dtype="float64")
    return paddle.where(x > 0, x, x * slope)


def plus(x: paddle.Tensor, number: float) -> paddle.Tensor:
    """Add a number to x, any shape, with the number in the type of x."""
    if x.dtype != paddle.float64:
        return x + number
    return x + paddle.to_tensor(number, dtype="float64")


def for_batch_norm(x: paddle.Tensor, epsilon: float) -> paddle.Tensor:
    """Scale x, of any shape, such that Paddle's batch normalisation of it has its epsilon in the type of x.

    With e for what Paddle adds to the variance v instead of epsilon, and k = sqrt(e / epsilon),
    k·x / sqrt(k²·v + e) = x / sqrt(v + epsilon), and the gradients with it. Composing the whole operator of exact ones
    gives the same digits at ten times the time.
    """
    if x.dtype != paddle.float64:
        return x
    in_use = _epsilon_in_use(epsilon, paddle.get_device())
    scale = math.sqrt(in_use / epsilon)
    return x * scale


@functools.cache
def _epsilon_in_use(epsilon: float, device: str) -> float:
    """What batch normalisation in float64 adds to the variance on this device: measured, as versions may differ."""
    deviation = math.sqrt(epsilon)
    pair = paddle.to_tensor([[-deviation], [deviation]], dtype="float64")  # (2, 1): mean 0, variance epsilon
    with paddle.no_grad():
        normalised = F.batch_norm(
            pair,
            running_mean=paddle.zeros([1], "float64"),
            running_var=paddle.ones([1], "float64"),
            weight=paddle.ones([1], "float64"),
            bias=paddle.zeros([1], "float64"),
            training=True,
            epsilon=epsilon,
        )
    upper = float(normalised.numpy()[1, 0])  # deviation / sqrt(deviation² + what is added)
    divisor = deviation / abs(upper)
    return divisor**2 - deviation**2


class AdamW(paddle.optimizer.AdamW):
    """AdamW whose decay is in the type of the parameters.

    Args:
        learning_rate: A number or a schedule.
        parameters: What it moves; all of one type.
        weight_decay: Share of a parameter that goes with each step, times the rate.
    """

    def __init__(
        self,
        learning_rate: Any,
        *,
        parameters: list[paddle.Tensor],
        weight_decay: float,
    ) -> None:
        double = any(parameter.dtype == paddle.float64 for parameter in parameters)
        self._decay_here = 0.0
        if double:
            # Paddle's operator takes the decay as a float32: in float64 it gets none, and `step` does it.
            self._decay_here = weight_decay
            weight_decay = 0.0
        super().__init__(learning_rate, parameters=parameters, weight_decay=weight_decay)

    def step(self) -> None:
        """Decay, then move; parameters without a gradient stay."""
        if self._decay_here:
            self._decay()
        super().step()

    def _decay(self) -> None:
        kept = 1.0 - self.get_lr() * self._decay_here
        with paddle.no_grad():
            for parameter in self._parameter_list:
                stays = parameter.stop_gradient or parameter.grad is None
                if not stays:
                    paddle.assign(parameter * kept, output=parameter)


def average_pool(x: paddle.Tensor, size: int) -> paddle.Tensor:
    """Mean of blocks: (B, 1, H, W) -> (B, 1, H/size, W/size)."""
    if x.dtype != paddle.float64:
        return F.avg_pool2d(x, kernel_size=size, stride=size)
    share = 1.0 / size**2
    taps = np.full((1, 1, size, size), share)
    kernel = paddle.to_tensor(taps)
    return F.conv2d(x, kernel, stride=size)


def bilinear_matrix(length: int, new_length: int) -> np.ndarray:
    """Weights that resize a line, corners not aligned: (new_length, length) float64, each row sums to 1."""
    last = length - 1
    position = _positions(length, new_length)
    position = np.maximum(position, 0.0)  # beyond the first pixel's centre the first pixel goes on
    left = np.floor(position)
    left = left.astype(int)
    left = np.minimum(left, last)
    right = np.minimum(left + 1, last)
    share = position - left
    matrix = np.zeros((new_length, length))
    rows = np.arange(new_length)
    np.add.at(matrix, (rows, left), 1.0 - share)
    np.add.at(matrix, (rows, right), share)
    return matrix


def _positions(length: int, new_length: int) -> np.ndarray:
    """Where the new pixels' centres lie among the old pixels, corners not aligned: (new_length,)."""
    old_per_new = length / new_length
    centres = np.arange(new_length) + 0.5  # from the line's left end, in new pixels
    return centres * old_per_new - 0.5


def bicubic_matrix(length: int, new_length: int) -> np.ndarray:
    """Weights that resize a line by Keys' cubic with a = -0.75, corners not aligned, borders repeated.

    Shrinking takes the same four neighbours as enlarging: nothing is averaged, as in PyTorch.

    Returns:
        (new_length, length) float64, each row sums to 1.
    """
    position = _positions(length, new_length)
    left = np.floor(position)
    left = left.astype(int)
    matrix = np.zeros((new_length, length))
    rows = np.arange(new_length)
    for tap in _CUBIC_TAPS:
        column = left + tap
        distance = np.abs(position - column)
        weight = _cubic(distance)
        inside = np.clip(column, 0, length - 1)
        np.add.at(matrix, (rows, inside), weight)
    return matrix


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic of a distance between 0 and 2 pixels."""
    # (a + 2) d³ - (a + 3) d² + 1 up to one pixel ...
    near = (_KEYS + 2) * distance - (_KEYS + 3)
    near = near * distance**2 + 1
    # ... and a (d³ - 5 d² + 8 d - 4) from there to two.
    far = (distance - 5) * distance + 8
    far = _KEYS * (far * distance - 4)
    weight: np.ndarray = np.where(distance <= 1, near, far)
    return weight


def resize_bilinear(
    x: paddle.Tensor,
    height: int,
    width: int,
) -> paddle.Tensor:
    """Resize (B, C, H, W) to (B, C, height, width), linear, without aligned corners."""
    _, _, old_height, old_width = x.shape
    rows = bilinear_matrix(int(old_height), height)
    columns = bilinear_matrix(int(old_width), width)
    return _resize(x, rows, columns)


def resize_bicubic(
    x: paddle.Tensor,
    height: int,
    width: int,
) -> paddle.Tensor:
    """Resize (B, C, H, W) to (B, C, height, width), cubic, without aligned corners."""
    _, _, old_height, old_width = x.shape
    rows = bicubic_matrix(int(old_height), height)
    columns = bicubic_matrix(int(old_width), width)
    return _resize(x, rows, columns)


def _resize(
    x: paddle.Tensor,
    rows: np.ndarray,
    columns: np.ndarray,
) -> paddle.Tensor:
    """Two matrix products, in the type of x."""
    dtype = str(x.dtype).rsplit(".", 1)[-1]  # "paddle.float32" -> "float32"
    across_rows = paddle.to_tensor(rows.astype(dtype))
    across_columns = paddle.to_tensor(columns.astype(dtype))
    wide = paddle.matmul(x, across_columns, transpose_y=True)  # (B, C, H, width)
    return paddle.matmul(across_rows, wide)  # (B, C, height, width)

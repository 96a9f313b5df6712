"""Operators whose Paddle versions round to float32 inside, whatever the tensor's type.

Where an output pixel of a bilinear resize falls is computed in float32: at scales that are no power of two the float64
result is off by 1e-6, a hundred times what the parity check allows. And the slope of Paddle 2.6's LeakyReLU is a
float32, which puts gradients off by up to 2e-4. The average pool's gradient divides by the window's size in float32,
which AdamW's second step shows. In float32 none of this matters.
"""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F

_CUBIC = -0.75  # Keys' parameter, as PyTorch and Paddle have it


def leaky_relu(x: paddle.Tensor, negative_slope: float) -> paddle.Tensor:
    """LeakyReLU with the slope in the type of x, any shape."""
    if x.dtype != paddle.float64:
        return F.leaky_relu(x, negative_slope)
    return paddle.where(x > 0, x, x * paddle.to_tensor(negative_slope, dtype="float64"))


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

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


def resize_bilinear(x: paddle.Tensor, height: int, width: int) -> paddle.Tensor:
    """Resize (B, C, H, W) to (B, C, height, width) without aligned corners: two matrix products."""
    dtype = str(x.dtype).rsplit(".", 1)[-1]
    rows = paddle.to_tensor(bilinear_matrix(int(x.shape[2]), height).astype(dtype))
    columns = paddle.to_tensor(bilinear_matrix(int(x.shape[3]), width).astype(dtype))
    return paddle.matmul(rows, paddle.matmul(x, columns, transpose_y=True))

"""Small operators whose Paddle versions are slow on the CPU, by NumPy on Paddle's own memory, with their gradients."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import paddle
from paddle.autograd import PyLayer

from paddle_umsft.methods.networks.ops import mode


def view(x: paddle.Tensor) -> np.ndarray:
    """The float32 numbers of a contiguous CPU tensor, not copied; valid as long as the tensor."""
    floats = (ctypes.c_float * int(x.size)).from_address(x.data_ptr())
    return np.ctypeslib.as_array(floats).reshape(tuple(x.shape))


def contiguous(x: paddle.Tensor) -> paddle.Tensor:
    """The tensor with its elements in a row (Paddle 3 has strided views)."""
    return x if x.is_contiguous() else x.contiguous()


def usable(*tensors: paddle.Tensor) -> bool:
    """Whether these tensors may take the NumPy path."""
    if mode.library() is None:
        return False
    return all(t.dtype == paddle.float32 and t.place.is_cpu_place() for t in tensors)


class LearnedBlur(PyLayer):
    """The learned spatial degradation, y = ELU(conv(zero_mean(x))) + average_pool(x), every band alike.

    The (s+1)×(s+1) kernel with stride s covers an s×s block and, wrapping around, one line of pixels above and left
    of it: a matrix product over blocks and three thin ones.
    """

    @staticmethod
    def forward(ctx: Any, x: paddle.Tensor, kernel: paddle.Tensor, scale: int) -> paddle.Tensor:
        """x (B, C, H, W), kernel (1, 1, s+1, s+1) -> (B, C, H/s, W/s)."""
        x, k = contiguous(x), view(contiguous(kernel))[0, 0]
        b, c, height, width = x.shape
        h, w, s = height // scale, width // scale, scale
        cube = view(x).reshape(b * c, h, s, w, s)
        mean = cube.mean(axis=(1, 2, 3, 4), keepdims=True, dtype=np.float64).astype(np.float32)
        blocks = np.subtract(cube, mean).transpose(0, 1, 3, 2, 4).reshape(-1, s, s)
        size = (b * c, h, w)
        detail = (blocks.reshape(-1, s * s) @ k[1:, 1:].reshape(-1)).reshape(size)
        detail += np.roll((blocks[:, -1] @ k[0, 1:]).reshape(size), 1, axis=1)
        detail += np.roll((blocks[:, :, -1] @ k[1:, 0]).reshape(size), 1, axis=2)
        detail += np.roll(k[0, 0] * blocks[:, -1, -1].reshape(size), (1, 1), axis=(1, 2))
        pooled = blocks.reshape(*size, s * s).mean(axis=3) + mean.reshape(-1, 1, 1)
        bent = np.exp(np.minimum(detail, 0.0))  # the slope of the ELU, and its value + 1 below zero
        out = paddle.empty([b, c, h, w], "float32")
        np.add(np.where(detail > 0, detail, bent - 1), pooled, out=view(out).reshape(size))
        ctx.saved = (blocks, np.where(detail > 0, np.float32(1), bent), k.copy(), (b, c, h, w, s))
        ctx.wanted = (not x.stop_gradient, not kernel.stop_gradient)
        return out

    @staticmethod
    def backward(ctx: Any, slope: paddle.Tensor) -> tuple[Any, Any]:
        """Gradients of x and of the kernel."""
        blocks, bend, k, (b, c, h, w, s) = ctx.saved
        g = view(contiguous(slope)).reshape(b * c, h, w)
        detail = g * bend
        above, left = np.roll(detail, -1, axis=1), np.roll(detail, -1, axis=2)
        both = np.roll(above, -1, axis=2)
        of_x = of_kernel = None
        if ctx.wanted[1]:
            of_kernel = paddle.empty([1, 1, s + 1, s + 1], "float32")
            gk = view(of_kernel)[0, 0]
            gk[1:, 1:] = (detail.reshape(-1) @ blocks.reshape(-1, s * s)).reshape(s, s)
            gk[0, 1:], gk[1:, 0] = above.reshape(-1) @ blocks[:, -1], left.reshape(-1) @ blocks[:, :, -1]
            gk[0, 0] = both.reshape(-1) @ blocks[:, -1, -1]
        if ctx.wanted[0]:
            cube = np.outer(detail.reshape(-1), k[1:, 1:].reshape(-1)).reshape(-1, s, s)
            cube[:, -1] += above.reshape(-1, 1) * k[0, 1:]
            cube[:, :, -1] += left.reshape(-1, 1) * k[1:, 0]
            cube[:, -1, -1] += both.reshape(-1) * k[0, 0]
            mean = cube.reshape(b * c, -1).mean(axis=1)
            cube = cube.reshape(b * c, h, w, s, s)
            cube += (g / np.float32(s * s) - mean.reshape(-1, 1, 1))[..., None, None]
            of_x = paddle.empty([b, c, h * s, w * s], "float32")
            view(of_x).reshape(b * c, h, s, w, s)[...] = cube.transpose(0, 1, 3, 2, 4)
        return of_x, of_kernel


class FixedKeyAttention(PyLayer):
    """value + softmax(query keyᵀ / √pixels) value among channels, where only the query wants a gradient."""

    @staticmethod
    def forward(ctx: Any, query: paddle.Tensor, key: paddle.Tensor, value: paddle.Tensor) -> paddle.Tensor:
        """Three maps (1, K, H, W) -> (1, K, H, W)."""
        query, key, value = contiguous(query), contiguous(key), contiguous(value)
        channels = int(query.shape[1])
        q, k, v = (view(tap).reshape(channels, -1) for tap in (query, key, value))  # (K, H·W)
        scale = np.float32(q.shape[1] ** -0.5)
        likeness = (q @ k.T) * scale  # (K, K)
        likeness -= likeness.max(axis=1, keepdims=True)
        weights = np.exp(likeness)
        weights /= weights.sum(axis=1, keepdims=True)
        out = paddle.empty(value.shape, "float32")
        flat = view(out).reshape(channels, -1)
        np.matmul(weights, v, out=flat)
        flat += v
        ctx.saved = (key, value, weights, scale)
        return out

    @staticmethod
    def backward(ctx: Any, slope: paddle.Tensor) -> tuple[Any, Any, Any]:
        """Gradient of the query."""
        key, value, weights, scale = ctx.saved
        channels = weights.shape[0]
        slope = contiguous(slope)
        g, k, v = (view(tap).reshape(channels, -1) for tap in (slope, key, value))
        of_weights = g @ v.T
        of_likeness = weights * (of_weights - (of_weights * weights).sum(axis=1, keepdims=True)) * scale
        of_query = paddle.empty(slope.shape, "float32")
        np.matmul(of_likeness, k, out=view(of_query).reshape(channels, -1))
        return of_query, None, None

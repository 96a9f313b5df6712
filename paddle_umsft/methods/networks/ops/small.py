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
    c_array = ctypes.c_float * int(x.size)
    floats = c_array.from_address(x.data_ptr())
    shape = tuple(x.shape)
    return np.ctypeslib.as_array(floats).reshape(shape)


def contiguous(x: paddle.Tensor) -> paddle.Tensor:
    """The tensor with its elements in a row (Paddle 3 has strided views)."""
    if x.is_contiguous():
        return x
    return x.contiguous()


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
    def forward(
        ctx: Any,
        x: paddle.Tensor,
        kernel: paddle.Tensor,
        scale: int,
    ) -> paddle.Tensor:
        """x (B, C, H, W), kernel (1, 1, s+1, s+1) -> (B, C, H/s, W/s)."""
        ctx.wants_x = not x.stop_gradient
        ctx.wants_kernel = not kernel.stop_gradient
        # Both stay named as long as their views are in use: a copy that nobody holds is freed under its view.
        x = contiguous(x)
        kernel = contiguous(kernel)
        taps = view(kernel)[0, 0]  # (s+1, s+1)
        batch, bands, height, width = x.shape
        images = batch * bands
        low_height = height // scale
        low_width = width // scale
        low_shape = (images, low_height, low_width)

        cube = view(x).reshape(images, low_height, scale, low_width, scale)
        # Summed in double: the mean over a whole band in float32 would cost two digits.
        mean = cube.mean(
            axis=(1, 2, 3, 4),
            keepdims=True,
            dtype=np.float64,
        )
        mean = mean.astype(np.float32)  # (B·C, 1, 1, 1, 1)
        centred = np.subtract(cube, mean)
        blocks = centred.transpose(0, 1, 3, 2, 4)  # (B·C, h, w, s, s)
        blocks = blocks.reshape(-1, scale, scale)  # (B·C·h·w, s, s)

        detail = _correlate(blocks, taps, low_shape)
        pixels = blocks.reshape(*low_shape, scale * scale)
        pooled = pixels.mean(axis=3)  # (B·C, h, w)
        pooled = pooled + mean.reshape(-1, 1, 1)
        is_positive = detail > 0
        negative = np.minimum(detail, 0.0)
        below_zero = np.exp(negative)  # the slope of the ELU there, and its value + 1
        bent = np.where(is_positive, detail, below_zero - 1)

        out = paddle.empty([batch, bands, low_height, low_width], "float32")
        out_pixels = view(out).reshape(low_shape)
        np.add(bent, pooled, out=out_pixels)
        ctx.blocks = blocks
        ctx.slope = np.where(is_positive, np.float32(1), below_zero)  # (B·C, h, w)
        ctx.taps = taps.copy()  # the optimiser moves the kernel in place
        ctx.shape = (batch, bands, height, width)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, gradient: paddle.Tensor) -> tuple[Any, Any]:
        """Gradients of x and of the kernel."""
        low_shape = ctx.slope.shape  # (B·C, h, w)
        gradient = contiguous(gradient)
        of_output = view(gradient).reshape(low_shape)
        of_detail = of_output * ctx.slope
        # What a block's upper and left neighbours get: the gradient of the output that reaches over to them.
        above = np.roll(of_detail, -1, axis=1)
        left = np.roll(of_detail, -1, axis=2)
        corner = np.roll(above, -1, axis=2)
        shares = tuple(share.reshape(-1) for share in (of_detail, above, left, corner))  # (B·C·h·w,) each

        of_kernel = None
        if ctx.wants_kernel:
            size = ctx.scale + 1
            of_kernel = paddle.empty([1, 1, size, size], "float32")
            _kernel_gradient(ctx.blocks, shares, out=view(of_kernel)[0, 0])
        of_x = None
        if ctx.wants_x:
            of_x = paddle.empty(list(ctx.shape), "float32")
            _image_gradient(ctx.taps, shares, of_output, out=of_x)
        return of_x, of_kernel


def _image_gradient(
    taps: np.ndarray,
    shares: tuple[np.ndarray, ...],
    of_output: np.ndarray,
    out: paddle.Tensor,
) -> None:
    """Write the gradient of the image.

    Args:
        taps: (s+1, s+1).
        shares: As in `_kernel_gradient`.
        of_output: (B·C, h, w) gradient of the result.
        out: (B, C, H, W).
    """
    images, low_height, low_width = of_output.shape
    scale = len(taps) - 1
    blocks = _block_gradients(taps, shares)  # (B·C·h·w, s, s)
    # Through the zero mean: what all pixels of a band have in common goes; through the pool: an equal share.
    mean = blocks.reshape(images, -1).mean(axis=1)
    pooled = of_output / np.float32(scale * scale)
    even = pooled - mean.reshape(-1, 1, 1)  # (B·C, h, w)
    blocks = blocks.reshape(images, low_height, low_width, scale, scale)
    blocks += even[..., None, None]
    cube = view(out).reshape(images, low_height, scale, low_width, scale)
    cube[...] = blocks.transpose(0, 1, 3, 2, 4)


def _correlate(
    blocks: np.ndarray,
    taps: np.ndarray,
    low_shape: tuple[int, int, int],
) -> np.ndarray:
    """Correlate blocks of zero mean with the kernel.

    Args:
        blocks: (B·C·h·w, s, s).
        taps: (s+1, s+1): the first row and column fall onto the neighbours above and to the left.
        low_shape: (B·C, h, w).

    Returns:
        (B·C, h, w).
    """
    size = blocks.shape[1]
    own_taps = taps[1:, 1:].reshape(-1)
    # (B·C·h·w,) each, what a block gives to its own LR pixel, to the one below, to the right, and across.
    own = blocks.reshape(-1, size * size) @ own_taps
    last_rows = blocks[:, -1] @ taps[0, 1:]
    last_columns = blocks[:, :, -1] @ taps[1:, 0]
    last_pixels = taps[0, 0] * blocks[:, -1, -1]

    detail: np.ndarray = own.reshape(low_shape)
    to_below = last_rows.reshape(low_shape)
    detail += np.roll(to_below, 1, axis=1)
    to_right = last_columns.reshape(low_shape)
    detail += np.roll(to_right, 1, axis=2)
    across = last_pixels.reshape(low_shape)
    detail += np.roll(across, (1, 1), axis=(1, 2))
    return detail


def _kernel_gradient(
    blocks: np.ndarray,
    shares: tuple[np.ndarray, ...],
    out: np.ndarray,
) -> None:
    """Write the gradient of the kernel.

    Args:
        blocks: (B·C·h·w, s, s), of the forward pass.
        shares: (B·C·h·w,) each: gradients of the outputs that see a block itself, its last row, column and pixel.
        out: (s+1, s+1).
    """
    own, above, left, corner = shares
    size = blocks.shape[1]
    inner = own @ blocks.reshape(-1, size * size)  # (s·s,)
    out[1:, 1:] = inner.reshape(size, size)
    out[0, 1:] = above @ blocks[:, -1]
    out[1:, 0] = left @ blocks[:, :, -1]
    out[0, 0] = corner @ blocks[:, -1, -1]


def _block_gradients(taps: np.ndarray, shares: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the gradient of the blocks, before the zero mean, (B·C·h·w, s, s); `shares` as in `_kernel_gradient`."""
    own, above, left, corner = shares
    size = len(taps) - 1
    own_taps = taps[1:, 1:].reshape(-1)
    products = np.outer(own, own_taps)  # (B·C·h·w, s·s)
    blocks: np.ndarray = products.reshape(-1, size, size)
    blocks[:, -1] += above.reshape(-1, 1) * taps[0, 1:]
    blocks[:, :, -1] += left.reshape(-1, 1) * taps[1:, 0]
    blocks[:, -1, -1] += corner * taps[0, 0]
    return blocks


class FixedKeyAttention(PyLayer):
    """value + softmax(query keyᵀ / √pixels) value among channels, where only the query wants a gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        query: paddle.Tensor,
        key: paddle.Tensor,
        value: paddle.Tensor,
    ) -> paddle.Tensor:
        """Three maps (1, K, H, W) -> (1, K, H, W)."""
        query = contiguous(query)
        key = contiguous(key)
        value = contiguous(value)
        query_rows = _channel_rows(query)
        key_rows = _channel_rows(key)
        value_rows = _channel_rows(value)
        pixels = query_rows.shape[1]
        scale = np.float32(pixels**-0.5)

        likeness = query_rows @ key_rows.T  # (K, K)
        likeness = likeness * scale
        likeness -= likeness.max(axis=1, keepdims=True)  # no overflow in exp; the softmax stays the same
        weights = np.exp(likeness)
        weights /= weights.sum(axis=1, keepdims=True)

        out = paddle.empty(value.shape, "float32")
        out_rows = _channel_rows(out)
        np.matmul(weights, value_rows, out=out_rows)  # (K, H·W)
        out_rows += value_rows
        ctx.saved = (key, value, weights, scale)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: paddle.Tensor) -> tuple[Any, Any, Any]:
        """Gradient of the query."""
        key, value, weights, scale = ctx.saved
        gradient = contiguous(gradient)
        gradient_rows = _channel_rows(gradient)
        value_rows = _channel_rows(value)
        key_rows = _channel_rows(key)
        of_weights = gradient_rows @ value_rows.T  # (K, K)
        # Through the softmax, whose rows sum to 1 whatever the likeness.
        weighted = of_weights * weights
        row_sums = weighted.sum(axis=1, keepdims=True)
        of_likeness = weights * (of_weights - row_sums) * scale
        of_query = paddle.empty(gradient.shape, "float32")
        of_query_rows = _channel_rows(of_query)
        np.matmul(of_likeness, key_rows, out=of_query_rows)
        return of_query, None, None


def _channel_rows(x: paddle.Tensor) -> np.ndarray:
    """View a contiguous map (1, K, H, W) as a row of pixels per channel, (K, H·W)."""
    channels = int(x.shape[1])
    rows: np.ndarray = view(x).reshape(channels, -1)
    return rows

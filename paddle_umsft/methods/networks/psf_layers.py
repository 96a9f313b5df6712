"""The spatial degradation as a layer: learned (blind) or known. Both take (B, C, H, W) to (B, C, h, w)."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.exact import average_pool
from paddle_umsft.methods.networks.layers import zero_mean
from paddle_umsft.methods.networks.ops.small import LearnedBlur, usable


def integer_gaussian(length: int, sigma: float) -> np.ndarray:
    """Normalised Gaussian at whole offsets floor(-(k-1)/2) ... floor((k-1)/2), k = length (P9).

    For even lengths its centre lies half a pixel beside the middle, as in the published code.

    Returns:
        (length,) float64, sums to 1.
    """
    offsets = np.arange(np.floor(-(length - 1) / 2), np.floor((length - 1) / 2) + 1)
    values = np.exp(-(offsets**2) / (2.0 * sigma**2))
    return np.asarray(values / values.sum())


class LearnedPsf(nn.Layer):
    """One kernel for all bands beside an average pool (`SpaDNet` in the published code).

    y = ELU(conv(zero_mean(x))) + average_pool(x). The kernel is (s+1)×(s+1) with stride s; its window starts one
    pixel before the pool's, and wraps around at the border.

    Args:
        scale: s, at least 2.
    """

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        start = integer_gaussian(scale + 1, scale // 2)
        kernel = np.outer(start, start)[None, None]
        self.kernel = self.create_parameter(
            [1, 1, scale + 1, scale + 1], default_initializer=nn.initializer.Assign(kernel)
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, C, H/s, W/s)."""
        if usable(x, self.kernel):
            return LearnedBlur.apply(x, self.kernel, self.scale)
        batch, bands, height, width = x.shape
        flat = x.reshape([batch * bands, 1, height, width])
        detail = F.conv2d(F.pad(zero_mean(flat), [1, 1, 1, 1], mode="circular"), self.kernel, stride=self.scale)
        pooled = average_pool(flat, self.scale)
        y = F.elu(detail) + pooled
        return y.reshape([batch, bands, y.shape[2], y.shape[3]])

    def effective_psf(self) -> np.ndarray:
        """The PSF that the layer stands for, where its ELU is linear: kernel plus pool, scaled to sum 1.

        Returns:
            (s+1, s+1) float64. The window of LR pixel i starts at HR pixel i*s - 1.
        """
        psf = self.kernel.numpy()[0, 0].astype(np.float64)
        psf[1:, 1:] += 1.0 / self.scale**2
        total = psf.sum()
        return np.asarray(psf / total if abs(total) > 1e-12 else psf)


class KnownPsf(nn.Layer):
    """A given PSF, the same call as `LearnedPsf`.

    Args:
        psf: (k, k); the window of LR pixel i starts at HR pixel i*s + (s - k)//2, wrapping around at the border.
        scale: s.
    """

    def __init__(self, psf: np.ndarray, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("kernel", paddle.to_tensor(psf[None, None], dtype=paddle.get_default_dtype()))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, C, H/s, W/s)."""
        batch, bands, height, width = x.shape
        size, scale = int(self.kernel.shape[2]), self.scale
        before = -((scale - size) // 2)
        after = size - scale - before
        flat = x.reshape([batch * bands, 1, height, width])
        if before < 0 or after < 0:  # a PSF smaller than the scale: its window starts inside the LR pixel
            flat = flat[:, :, max(-before, 0) :, max(-before, 0) :]
        if max(before, after) > 0:
            pads = [max(before, 0), max(after, 0)]
            flat = F.pad(flat, pads + pads, mode="circular")
        y = F.conv2d(flat, self.kernel, stride=scale)
        return y.reshape([batch, bands, y.shape[2], y.shape[3]])

    def effective_psf(self) -> np.ndarray:
        """The PSF as given, (k, k) float64."""
        return np.asarray(self.kernel.numpy()[0, 0], dtype=np.float64)

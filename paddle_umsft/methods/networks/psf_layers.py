"""The spatial degradation as a layer: learned (blind) or known. Both take (B, C, H, W) to (B, C, h, w)."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.cameras.psf import reference_psf
from paddle_umsft.cameras.spatial import first_tap
from paddle_umsft.methods.networks.exact import average_pool
from paddle_umsft.methods.networks.layers import zero_mean
from paddle_umsft.methods.networks.ops.small import LearnedBlur, usable

# A kernel that learned to cancel the pool has a sum of nothing but rounding, and stays as it is.
LEAST_SUM = 1e-12


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
        size = scale + 1
        sigma = scale // 2  # published
        kernel = reference_psf(size, sigma)
        kernel = kernel[None, None]  # (1, 1, s+1, s+1)
        self.kernel = self.create_parameter(
            [1, 1, size, size],
            default_initializer=nn.initializer.Assign(kernel),
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, C, H/s, W/s)."""
        if usable(x, self.kernel):
            return LearnedBlur.apply(x, self.kernel, self.scale)
        batch, bands, height, width = x.shape
        flat = x.reshape([batch * bands, 1, height, width])  # every band an image of its own
        centred = zero_mean(flat)
        wrapped = F.pad(centred, [1, 1, 1, 1], mode="circular")  # (B·C, 1, H+2, W+2)
        detail = F.conv2d(wrapped, self.kernel, stride=self.scale)  # (B·C, 1, h, w)
        pooled = average_pool(flat, self.scale)
        y = F.elu(detail) + pooled
        return _as_bands(y, batch, bands)

    def effective_psf(self) -> np.ndarray:
        """The PSF that the layer stands for, where its ELU is linear: kernel plus pool, scaled to sum 1.

        Returns:
            (s+1, s+1) float64. The window of LR pixel i starts at HR pixel i*s - 1.
        """
        psf = _as_psf(self.kernel)
        psf[1:, 1:] += 1.0 / self.scale**2  # the pool's window begins a pixel later
        total = psf.sum()
        if abs(total) > LEAST_SUM:
            psf = psf / total
        return psf


class KnownPsf(nn.Layer):
    """A given PSF, the same call as `LearnedPsf`.

    Args:
        psf: (k, k); the window of LR pixel i starts at HR pixel i*s + `first_tap`, wrapping around at the border.
        scale: s.
    """

    def __init__(self, psf: np.ndarray, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        dtype = paddle.get_default_dtype()
        kernel = paddle.to_tensor(psf[None, None], dtype=dtype)  # (1, 1, k, k)
        self.register_buffer("kernel", kernel)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, C, H/s, W/s)."""
        batch, bands, height, width = x.shape
        size = int(self.kernel.shape[2])
        # How far the window reaches beyond the LR pixel; negative where it stays inside.
        before = -first_tap(size, self.scale)
        after = size - self.scale - before
        flat = x.reshape([batch * bands, 1, height, width])  # every band an image of its own
        if before < 0:  # a PSF smaller than the scale
            flat = flat[:, :, -before:, -before:]
        if before > 0 or after > 0:
            pads = [max(before, 0), max(after, 0)]
            flat = F.pad(flat, pads + pads, mode="circular")
        y = F.conv2d(flat, self.kernel, stride=self.scale)  # (B·C, 1, h, w)
        return _as_bands(y, batch, bands)

    def effective_psf(self) -> np.ndarray:
        """The PSF as given, (k, k) float64."""
        return _as_psf(self.kernel)


def _as_bands(
    y: paddle.Tensor,
    batch: int,
    bands: int,
) -> paddle.Tensor:
    """Put images of one band together again: (B·C, 1, h, w) -> (B, C, h, w)."""
    _, _, height, width = y.shape
    return y.reshape([batch, bands, height, width])


def _as_psf(kernel: paddle.Tensor) -> np.ndarray:
    """(1, 1, k, k) -> (k, k) float64, a copy."""
    taps = kernel.numpy()[0, 0]
    return np.array(taps, dtype=np.float64)

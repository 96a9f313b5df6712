"""The spectral degradation as a layer: learned (blind) or known. Both take (B, C, H, W) to (B, M, H, W)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.psf_layers import integer_gaussian


def apply_response(response: paddle.Tensor, x: paddle.Tensor) -> paddle.Tensor:
    """Weight the bands of x (B, C, H, W) with response (M, C): (B, M, H, W)."""
    batch, bands, height, width = x.shape
    seen = paddle.matmul(response, x.reshape([batch, bands, height * width]))
    return seen.reshape([batch, response.shape[0], height, width])


class _BandResponse(nn.Layer):
    """One MSI band's response: a vector through a smoothing convolution of width 3 and a ReLU."""

    def __init__(self, length: int) -> None:
        super().__init__()
        start = integer_gaussian(length, 2.0)[None, None]
        self.start = self.create_parameter([1, 1, length], default_initializer=nn.initializer.Assign(start))
        bound = 1.0 / math.sqrt(3.0)
        uniform = nn.initializer.Uniform(-bound, bound)
        self.weight = self.create_parameter([1, 1, 3], default_initializer=uniform)
        self.bias = self.create_parameter([1], default_initializer=uniform)

    def forward(self) -> paddle.Tensor:
        return F.relu(F.conv1d(self.start, self.weight, self.bias, padding=1))[0, 0]  # (length,)


class LearnedSrf(nn.Layer):
    """One response per MSI band on its support, not normalised (`SpeDNet` in the published code).

    Args:
        bands: C.
        supports: Per MSI band the half-open range [a, b) of HSI bands it sees.
    """

    def __init__(self, *, bands: int, supports: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.bands = bands
        self.supports = [(int(a), int(b)) for a, b in supports]
        self.responses = nn.LayerList([_BandResponse(b - a) for a, b in self.supports])

    def response(self) -> paddle.Tensor:
        """The SRF as a table, (M, C), zero outside the supports."""
        rows = []
        for (a, b), band in zip(self.supports, self.responses):
            parts = [paddle.zeros([a], band.start.dtype), band(), paddle.zeros([self.bands - b], band.start.dtype)]
            rows.append(paddle.concat([part for part in parts if part.shape[0] > 0]))
        return paddle.stack(rows)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, M, H, W)."""
        return apply_response(self.response(), x)

    def effective_srf(self) -> np.ndarray:
        """The SRF as it stands, (M, C) float64."""
        with paddle.no_grad():
            return np.asarray(self.response().numpy(), dtype=np.float64)


class KnownSrf(nn.Layer):
    """A given SRF, the same call as `LearnedSrf`.

    Args:
        srf: (M, C).
    """

    def __init__(self, srf: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("table", paddle.to_tensor(srf, dtype=paddle.get_default_dtype()))

    def response(self) -> paddle.Tensor:
        """The SRF as a table, (M, C)."""
        return self.table

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, M, H, W)."""
        return apply_response(self.table, x)

    def effective_srf(self) -> np.ndarray:
        """The SRF as given, (M, C) float64."""
        return np.asarray(self.table.numpy(), dtype=np.float64)

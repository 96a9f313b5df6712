"""The spectral degradation as a layer: learned (blind) or known. Both take (B, C, H, W) to (B, M, H, W)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.cameras.psf import reference_line

# Published: every response begins as a Gaussian of this width over its support, in bands.
START_SIGMA = 2.0
SMOOTHING_WIDTH = 3  # bands that the smoothing convolution sees at once


def apply_response(response: paddle.Tensor, x: paddle.Tensor) -> paddle.Tensor:
    """Weight the bands of x (B, C, H, W) with response (M, C): (B, M, H, W)."""
    batch, bands, height, width = x.shape
    pixels = x.reshape([batch, bands, height * width])
    seen = paddle.matmul(response, pixels)  # (B, M, H·W)
    return seen.reshape([batch, response.shape[0], height, width])


class _BandResponse(nn.Layer):
    """One MSI band's response: a vector through a smoothing convolution of width 3 and a ReLU."""

    def __init__(self, length: int) -> None:
        super().__init__()
        line = reference_line(length, START_SIGMA)
        line = line[None, None]  # (1, 1, length)
        self.start = self.create_parameter(
            [1, 1, length],
            default_initializer=nn.initializer.Assign(line),
        )
        bound = 1.0 / math.sqrt(float(SMOOTHING_WIDTH))  # PyTorch's: the fan-in of one channel is the width
        uniform = nn.initializer.Uniform(-bound, bound)
        self.weight = self.create_parameter(
            [1, 1, SMOOTHING_WIDTH],
            default_initializer=uniform,
        )
        self.bias = self.create_parameter(
            [1],
            default_initializer=uniform,
        )

    def forward(self) -> paddle.Tensor:
        smooth = F.conv1d(
            self.start,
            weight=self.weight,
            bias=self.bias,
            padding=SMOOTHING_WIDTH // 2,
        )
        response = F.relu(smooth)  # (1, 1, length)
        return response[0, 0]


class LearnedSrf(nn.Layer):
    """One response per MSI band on its support, not normalised (`SpeDNet` in the published code).

    Args:
        bands: C.
        supports: Per MSI band the half-open range [a, b) of HSI bands it sees.
    """

    def __init__(
        self,
        *,
        bands: int,
        supports: Sequence[tuple[int, int]],
    ) -> None:
        super().__init__()
        self.bands = bands
        self.supports = [(int(a), int(b)) for a, b in supports]
        responses = [_BandResponse(b - a) for a, b in self.supports]
        self.responses = nn.LayerList(responses)

    def response(self) -> paddle.Tensor:
        """The SRF as a table, (M, C), zero outside the supports."""
        rows = []
        for (a, b), band in zip(self.supports, self.responses):
            dtype = band.start.dtype
            before = paddle.zeros([a], dtype)
            after = paddle.zeros([self.bands - b], dtype)
            # Paddle does not join what is empty.
            parts = [part for part in (before, band(), after) if part.shape[0] > 0]
            row = paddle.concat(parts)  # (C,)
            rows.append(row)
        return paddle.stack(rows)  # (M, C)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, M, H, W)."""
        return apply_response(self.response(), x)

    def effective_srf(self) -> np.ndarray:
        """The SRF as it stands, (M, C) float64."""
        with paddle.no_grad():
            table = self.response()
        return np.asarray(table.numpy(), dtype=np.float64)


class KnownSrf(nn.Layer):
    """A given SRF, the same call as `LearnedSrf`.

    Args:
        srf: (M, C).
    """

    def __init__(self, srf: np.ndarray) -> None:
        super().__init__()
        dtype = paddle.get_default_dtype()
        table = paddle.to_tensor(srf, dtype=dtype)
        self.register_buffer("table", table)

    def response(self) -> paddle.Tensor:
        """The SRF as a table, (M, C)."""
        return self.table

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, M, H, W)."""
        return apply_response(self.table, x)

    def effective_srf(self) -> np.ndarray:
        """The SRF as given, (M, C) float64."""
        return np.asarray(self.table.numpy(), dtype=np.float64)

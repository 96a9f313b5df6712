"""The one VGG that all three inputs of uHNTC go through."""

from __future__ import annotations

import paddle

from paddle_umsft.methods.networks.layers import Conv2D
from paddle_umsft.methods.networks.ops import encoders
from paddle_umsft.methods.networks.vgg import VggFeatures

Taps = tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]


class SharedEncoder(VggFeatures):
    """VGG16-BN up to layer 21 for the multispectral image, and for the hyperspectral one by a first layer of its own.

    The published code draws that first layer (`HSIconv`) anew at every step, so that nothing can be learned behind
    it; here it is one layer, and trained (P12).

    Args:
        bands: C.
        msi_bands: M. Three use VGG's own first convolution; any other count gets a fresh one (P16).
    """

    def __init__(self, *, bands: int, msi_bands: int) -> None:
        super().__init__(bands=msi_bands, stop_at_norm=True)
        self.query = Conv2D(bands, self.conv0.weight.shape[0], 3, padding=1)

    def msi_taps(self, msi: paddle.Tensor) -> Taps:
        """Keys or values: (B, M, H, W) -> (B, 64, H, W), (B, 128, H//2, W//2), (B, 256, H//4, W//4), no gradient."""
        with paddle.no_grad():
            return self._taps(msi, encoders.vgg, self._plain)

    def query_taps(self, hsi: paddle.Tensor) -> Taps:
        """Queries: (B, C, H, W) -> the same three sizes, with gradient."""
        return self._taps(hsi, encoders.vgg_query, self._plain_query)

    def _plain_query(self, x: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        return self._after_first(self.query(x))

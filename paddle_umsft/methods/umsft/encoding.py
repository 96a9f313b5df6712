"""An encoder together with the merges behind it: one plan where there can be one."""

from __future__ import annotations

from collections.abc import Sequence

import paddle

from paddle_umsft.methods.networks.ops import encoders
from paddle_umsft.methods.networks.ops.autograd import run
from paddle_umsft.methods.networks.vgg import VggFeatures, centred
from paddle_umsft.methods.umsft.attention import Merge


class MergedEncoder:
    """An encoder whose taps are merged where they are made; it has no parameters but those of the layers it is given.

    No `nn.Layer`: the network's checkpoint has every layer under one name.

    Args:
        encoder: Takes the taps.
        merges: What each tap goes through, the finest first.
    """

    def __init__(self, encoder: VggFeatures, merges: Sequence[Merge]) -> None:
        self.encoder = encoder
        # The coarsest keeps a plan of its own: it is small, and of a small scene it is float32 also with bf16.
        *self.merges, self.last = merges

    @property
    def training(self) -> bool:
        """As the encoder's."""
        return bool(self.encoder.training)

    def parameters(self) -> list[paddle.Tensor]:
        """Of all that can run as one plan."""
        parameters = list(self.encoder.parameters())
        for merge in self.merges:
            parameters.extend(merge.parameters())
        return parameters

    def __call__(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Encode and merge.

        Args:
            x: (B, bands, H, W) in about [0, 1].

        Returns:
            (B, C, H, W), (B, C, H//2, W//2), (B, C, H//8, W//8).
        """
        fast = run(self, encoders.vgg_with_merges, [centred(x)])
        if fast is None:
            taps = self.encoder(x)
            return self.merged(taps)
        *merged, coarsest = fast
        return [*merged, self.last(coarsest)]

    def merged(self, taps: Sequence[paddle.Tensor]) -> list[paddle.Tensor]:
        """Merge taps that have been taken already; the same bits."""
        merges = [*self.merges, self.last]
        return [merge(tap) for merge, tap in zip(merges, taps)]

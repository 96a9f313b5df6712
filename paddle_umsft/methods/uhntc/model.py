"""uHNTC with its two degradations."""

from __future__ import annotations

from typing import Optional

from paddle_umsft.config.uhntc import UhntcSettings
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes, assemble
from paddle_umsft.methods.uhntc.network import UHNTC


def build_uhntc(sizes: ModelSizes, settings: Optional[UhntcSettings] = None) -> FusionModel:
    """Build a model; what is known of the cameras is held fixed, the rest is learned.

    Args:
        sizes: What it is made to fit.
        settings: Where the network starts.

    Raises:
        DataError: If weights to start from cannot be read or do not fit.
    """
    settings = settings or UhntcSettings()
    network = UHNTC(bands=sizes.bands, msi_bands=sizes.msi_bands)
    return assemble(
        network,
        sizes,
        weights=settings.weights,
        vgg_weights=settings.vgg_weights,
    )

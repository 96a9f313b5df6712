"""UMSFT with its two degradations."""

from __future__ import annotations

from typing import Optional

from paddle_umsft.config.umsft import NetworkConfig
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes, assemble
from paddle_umsft.methods.umsft.network import UMSFT


def build_model(sizes: ModelSizes, network: Optional[NetworkConfig] = None) -> FusionModel:
    """Build a model; what is known of the cameras is held fixed, the rest is learned.

    Args:
        sizes: What it is made to fit.
        network: Sizes and start of the network.

    Raises:
        DataError: If weights to start from cannot be read or do not fit.
    """
    settings = network or NetworkConfig()
    umsft = UMSFT(
        bands=sizes.bands,
        msi_bands=sizes.msi_bands,
        width=settings.width,
        skip=settings.skip,
        heads=settings.heads,
        paper_attention=settings.attention == "paper",
    )
    return assemble(
        umsft,
        sizes,
        weights=settings.weights,
        vgg_weights=settings.vgg_weights,
    )

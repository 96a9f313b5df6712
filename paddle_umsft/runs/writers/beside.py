"""Beside a fused image: what its values may be off by, and where it means anything, on the same ground."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.trust import BETWEEN, OUTSIDE, SEEN
from paddle_umsft.runs.writers.geotiff import band_description
from paddle_umsft.runs.writers.product import Product, ground_of_result, make_product
from paddle_umsft.runs.writers.table import FORMATS, write_product

ERROR = "expected_error"
MASK = "mask"
# Of each band of the result, what the MSI tells of it.
SUPPORT_WORDS = {
    SEEN: "seen by the MSI",
    BETWEEN: "between the MSI's bands",
    OUTSIDE: "outside the MSI's bands",
}


def write_beside(
    folder: Path,
    prefix: str,
    result: FusionResult,
    observation: Observation,
    format: str,
    *,
    hint: Optional[str] = None,
) -> list[Path]:
    """Write the expected error, bands named with their support class, and the mask, as far as there are any.

    Args:
        folder: Where the result is.
        prefix: Begins both names, `fused_` makes `fused_expected_error.tif` and `fused_mask.tif`.
        result: What a method returned.
        observation: What it was fused from.
        format: Of both files, one of `FORMATS`.
        hint: The way out to name where they cannot be written.

    Returns:
        The files.

    Raises:
        DataError: They cannot be written.
    """
    suffix = FORMATS[format].suffix
    files = []
    if result.trust is not None:
        error = make_product(
            result.trust.expected.cube(),
            observation,
            f"expected error of {result.method}",
            result.valid,
            is_difference=True,
        )
        named = with_support(error, result.trust.support, observation)
        files += write_product(folder / f"{prefix}{ERROR}{suffix}", named, format, hint=hint)
    if result.valid is not None:
        files += write_product(folder / f"{prefix}{MASK}{suffix}", _mask(result.valid, observation), format, hint=hint)
    return files


def with_support(product: Product, support: np.ndarray, observation: Observation) -> Product:
    """Name each band with its support class; bands that were left out have none."""
    order = list(range(product.values.shape[2]))
    if observation.hsi_facts is not None and observation.hsi_facts.order is not None:
        order = list(observation.hsi_facts.order)
    names = []
    for number, facts in enumerate(product.band_facts(), start=1):
        names.append(band_description(number, facts))
    for band, place in enumerate(order):
        names[place] = f"{names[place]}, {SUPPORT_WORDS[int(support[band])]}"
    bands = replace(product.bands, names=tuple(names))
    return replace(product, bands=bands)


def _mask(valid: np.ndarray, observation: Observation) -> Product:
    """Return the mask as an image of one band: 1 where the result means something."""
    return Product(
        values=valid[:, :, None].astype(np.uint8),
        ground=ground_of_result(observation),
        bands=BandFacts(count=1, names=("valid",)),
        history="1 where the fused image holds data",
    )

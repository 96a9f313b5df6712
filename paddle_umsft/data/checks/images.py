"""Checks of a whole observation: what every method may rely on, and what only some need."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.data.checks.values import check_axes, check_finite, check_numeric
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError


def check_observation(observation: Observation) -> None:
    """Check two images that a method is handed: axes, values, and sizes that agree by the scale.

    A constant image passes: `check_cube` refuses it at the border, where a user can mend it; a method can work with it.

    Raises:
        DataError: Not three axes, empty, not real and finite numbers, all zero, or sizes that do not agree.
    """
    for where, image in (("lr_hsi", observation.lr_hsi), ("hr_msi", observation.hr_msi)):
        check_numeric(image, where)
        check_axes(image, where)
        if image.size == 0:
            raise DataError("empty image", where=where, got=f"shape {image.shape}")
        check_finite(image, where)
        if not np.any(image):
            raise DataError("the image is all zero", where=where)
    # From here on every LR pixel stands for scale x scale HR pixels, none left over.
    height, width = observation.lr_hsi.shape[:2]
    scale = observation.scale
    if scale < 1 or observation.shape != (height * scale, width * scale):
        rows, columns = observation.shape
        raise DataError(
            "size does not agree with LR-HSI and scale",
            where="hr_msi",
            expected=f"{height * scale}x{width * scale}",
            got=f"{rows}x{columns}",
        )


def check_light(
    image: np.ndarray,
    where: str,
    *,
    share: float,
    hint: Optional[str] = None,
) -> None:
    """Refuse an image that cannot be light: one that has much of its energy below zero.

    Args:
        image: Any shape, finite, not all zero.
        where: What it is called in the message.
        share: Part of the energy that noise may put below zero.
        hint: The way out.

    Raises:
        DataError: More of the energy is below zero.
    """
    # Energy, not the number of values: dark pixels of a noisy image are below zero half of the time.
    energy = np.square(image, dtype=np.float64)
    below = float(energy[image < 0].sum() / energy.sum())
    if below > share:
        percent = 100 * below
        raise DataError(
            "values below zero",
            where=where,
            got=f"{percent:.3g} % of its energy",
            hint=hint,
        )

"""Configuration section `preparation`."""

from __future__ import annotations

from typing import Literal

from paddle_umsft.config.base import Section


class PreparationSettings(Section):
    """What may be found in a pair and undone before it is fused. All of it is looked for, and needs evidence.

    Attributes:
        geometry: How the images may lie against each other: "none" as the grids say, "shift", "affine" (rotation, zoom
            and shear too), "auto" whatever the data ask for.
        orientation: Mirrored and turned images are found and turned back.
        radiometry: Offsets, tone curves, shading, saturation of the MSI; stripes of the HSI.
        outliers: Dead pixels of both images, drowned bands, shadows, moved objects.
        for_all: Methods that know two plain grids and no masks get the prepared pair too, as far as that can be done.
    """

    geometry: Literal["none", "shift", "affine", "auto"] = "auto"
    orientation: bool = True
    radiometry: bool = True
    outliers: bool = True
    for_all: bool = True

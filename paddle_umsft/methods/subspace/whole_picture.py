"""What has to be known of all pixels of a picture before any window of it can be worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.subspace.ground import Ground, lay_ground
from paddle_umsft.methods.subspace.map_features import Kernel, PixelInputs, Spread, looks, spreads_of
from paddle_umsft.preparation.below_zero import is_light

# Pictures of so many HR pixels are looked at as a whole, and their statistics come out to the last bit as those of a
# picture that is not cut into strips. Larger ones are summed up row by row, in float64.
MOST_AT_ONCE = 2**20


@dataclass(frozen=True)
class Statistics:
    """Numbers of the whole picture.

    Attributes:
        height: H.
        lowest: (M,) what the MSI is lifted by: zeros where it is light.
        level: Mean brightness of the map's inputs.
        magnitude: Mean magnitude of the MSI, which edges are measured by.
        spreads: Of the map's inputs.
        floor: Smallest value of the result, over the level of the LR-HSI.
    """

    height: int
    lowest: np.ndarray
    level: float
    magnitude: float
    spreads: list[Spread]
    floor: float

    def inputs_of(self, hr_msi: np.ndarray, rows: np.ndarray) -> PixelInputs:
        """Inputs of the map in a window.

        Args:
            hr_msi: (n, W, M) its pixels.
            rows: (n,) where they are in the picture.
        """
        return replace(
            PixelInputs.of(hr_msi - self.lowest),
            level=self.level,
            rows=rows,
            height=self.height,
        )


def lay_large_ground(
    observation: Observation,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
) -> tuple[Ground, Statistics]:
    """`lay_ground`, and the statistics of the MSI; nothing as large as it is held more than twice.

    Args:
        observation: The image pair.
        settings: See `SubspaceSettings`.
        preparation: What may be found in the pair and undone.

    Raises:
        DataError: The pair cannot be fused, or its grids do not tile each other.
    """
    ground = lay_ground(observation, settings, preparation, in_windows=True)
    if ground.prepared.placement is not None or ground.prepared.layout is not None:
        raise DataError(
            "a scene by strips needs grids that lie on each other",
            where="runtime.memory",
            got="; ".join(ground.prepared.notes),
            hint="give it more memory to fuse it whole, or resample the MSI to the HSI's ground",
        )
    return ground, statistics_of(ground)


def statistics_of(ground: Ground) -> Statistics:
    """Look at all pixels of the MSI once."""
    hr_msi = ground.hr_msi
    height, width, bands = hr_msi.shape
    lowest = np.zeros(bands, dtype=np.float32)
    if not is_light(hr_msi):
        lowest = np.minimum(hr_msi.min(axis=(0, 1)), 0.0)
    if height * width <= MOST_AT_ONCE:
        whole = PixelInputs.of(hr_msi - lowest)
        level = whole.level
        magnitude = float(np.mean(np.abs(hr_msi)))
        spreads = spreads_of(whole, Kernel())
    else:
        level = _mean_of(ground, lambda rows: np.maximum(rows - lowest, 0.0))
        magnitude = _mean_of(ground, np.abs)
        spreads = _spreads(ground, lowest, level)
    return Statistics(
        height=height,
        lowest=lowest,
        level=level,
        magnitude=magnitude,
        spreads=spreads,
        floor=ground.floor,
    )


def _rows(ground: Ground) -> Iterator[np.ndarray]:
    """Rows of the MSI, a few at a time."""
    height, width = ground.hr_msi.shape[:2]
    step = max(1, MOST_AT_ONCE // width)
    for top in range(0, height, step):
        yield ground.hr_msi[top : top + step]


def _mean_of(ground: Ground, seen: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean over all values of the MSI."""
    total = 0.0
    for part in _rows(ground):
        total += float(np.sum(seen(part), dtype=np.float64))
    return total / ground.hr_msi.size


def _spreads(
    ground: Ground,
    lowest: np.ndarray,
    level: float,
) -> list[Spread]:
    """`spreads_of` without ever holding the coordinates of all pixels: two passes, in float64."""
    kernel = Kernel()
    pixels = ground.hr_msi.shape[0] * ground.hr_msi.shape[1]
    means: list[np.ndarray] = []
    for squared in (False, True):
        sums: list[np.ndarray] = []
        for part in _rows(ground):
            inputs = replace(PixelInputs.of(part - lowest), level=level)
            for place, (values, _) in enumerate(looks(inputs, kernel)):
                values = values.astype(np.float64)
                if squared:
                    values = (values - means[place]) ** 2
                total = values.sum(axis=(0, 1))
                if len(sums) <= place:
                    sums.append(total)
                else:
                    sums[place] += total
        if not squared:
            means = [total / pixels for total in sums]
    spreads = []
    for mean, squares in zip(means, sums):
        variance = 0.0
        if squares.size:
            variance = float(squares.mean()) / pixels
        spread = Spread(
            mean=mean[None, None].astype(np.float32),
            deviation=float(np.sqrt(variance)),
        )
        spreads.append(spread)
    return spreads

"""What has to be known of all pixels of a picture before any window of it can be worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import continued
from paddle_umsft.cameras.windows import runs_of
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.subspace.ground import Ground, lay_ground
from paddle_umsft.methods.subspace.map_features import Kernel, PixelInputs, Spread, looks, spreads_of
from paddle_umsft.preparation.below_zero import is_light, least_of

# Pictures of so many HR pixels are looked at as a whole, and their statistics come out to the last bit as those of a
# picture that is not cut into strips. Larger ones are summed up row by row, in float64.
MOST_AT_ONCE = 2**20
# HR pixels of a block of rows that is summed up at a time.
BLOCK_PIXELS = 2**18
# A Gaussian's weights end so many standard deviations off.
GAUSSIAN_REACH = 4.0


@dataclass(frozen=True)
class Statistics:
    """Numbers of the whole picture.

    Attributes:
        height: H.
        lowest: (M,) what the MSI is lifted by: zeros where it is light.
        level: Mean brightness of the map's inputs.
        magnitude: Mean magnitude of the MSI, which edges are measured by.
        floor: Smallest value of the result, over the level of the LR-HSI.
    """

    height: int
    lowest: np.ndarray
    level: float
    magnitude: float
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
        DataError: The pair cannot be fused, or one of its grids is turned.
    """
    ground = lay_ground(observation, settings, preparation, in_windows=True)
    placement = ground.prepared.placement
    # Rows of one image then are no rows of the other.
    if placement is not None and not placement.is_straight:
        raise DataError(
            "a scene by strips needs images that are not turned against each other",
            where="runtime.memory",
            got=f"turned by {abs(placement.angle_deg):.3g} degrees",
            hint="more memory to fuse it whole, the MSI resampled to the HSI's ground, or preparation.geometry=shift "
            "to leave a turn that was found as it is",
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
        level = PixelInputs.of(hr_msi - lowest).level
        magnitude = float(np.mean(np.abs(hr_msi)))
    else:
        level = _mean_of(ground, lambda rows: np.maximum(rows - lowest, 0.0))
        magnitude = _mean_of(ground, np.abs)
    return Statistics(
        height=height,
        lowest=lowest,
        level=level,
        magnitude=magnitude,
        # As it was recorded, it is only there in its own units.
        floor=least_of(ground.prepared.observation.lr_hsi, ground.kept, ground.level),
    )


def mean_and_energy(ground: Ground) -> tuple[np.ndarray, float]:
    """(1, 1, M) float32 mean of the MSI, and its mean square."""
    hr_msi = ground.hr_msi
    height, width, bands = hr_msi.shape
    if height * width <= MOST_AT_ONCE:
        return hr_msi.mean(axis=(0, 1), keepdims=True), float(np.mean(hr_msi.astype(np.float64) ** 2))
    total: np.ndarray = np.zeros(bands)
    for rows in _blocks(ground):
        total += hr_msi[rows].sum(axis=(0, 1), dtype=np.float64)
    mean = (total / (height * width)).astype(np.float32)
    return mean[None, None], _mean_of(ground, lambda part: part.astype(np.float64) ** 2)


def surround_in(
    ground: Ground,
    lowest: np.ndarray,
    rows: np.ndarray,
    radius: float,
) -> np.ndarray:
    """The neighbourhood of pixels, as `PixelInputs.of` has it of the whole picture.

    Args:
        ground: Of the whole picture.
        lowest: (M,) see `Statistics`.
        rows: (n,) which rows.
        radius: Standard deviation, HR pixels.

    Returns:
        (n, W, M) float32.
    """
    from scipy.ndimage import gaussian_filter1d

    border = ground.operator.border
    reach = int(GAUSSIAN_REACH * radius + 0.5)
    parts = []
    height = len(ground.hr_msi)
    for run in runs_of(rows):
        positions = np.arange(run[0] - reach, run[-1] + 1 + reach)
        around = continued(positions, height, border)
        msi = ground.hr_msi[around] - lowest
        np.maximum(msi, 0.0, out=msi)
        # Whatever is assumed beyond these rows is cut off again.
        down = gaussian_filter1d(msi, radius, axis=0, mode="nearest", truncate=GAUSSIAN_REACH)
        down = down[reach : reach + len(run)]
        parts.append(gaussian_filter1d(down, radius, axis=1, mode=border, truncate=GAUSSIAN_REACH))
    return np.concatenate(parts)


def inputs_of_rows(
    ground: Ground,
    statistics: Statistics,
    rows: np.ndarray,
    surround: Optional[float],
) -> PixelInputs:
    """Inputs of the map in some rows of the picture.

    Args:
        ground: Of the whole picture.
        statistics: Of the whole MSI.
        rows: (n,) which rows.
        surround: Radius of the neighbourhood that counts as well; None: none does.
    """
    inputs = statistics.inputs_of(ground.hr_msi[rows], rows)
    if surround is None:
        return inputs
    return replace(inputs, surround=[surround_in(ground, statistics.lowest, rows, surround)])


def spreads_in(
    ground: Ground,
    statistics: Statistics,
    kernels: Sequence[Kernel],
    surround: Optional[float] = None,
) -> list[list[Spread]]:
    """What the coordinates of each kernel are scaled by, without ever holding those of all pixels of a large picture.

    Args:
        ground: Of the whole picture.
        statistics: Of the whole MSI.
        kernels: Whose coordinates.
        surround: See `inputs_of_rows`.
    """
    height, width = ground.hr_msi.shape[:2]
    if height * width <= MOST_AT_ONCE:
        whole = inputs_of_rows(ground, statistics, np.arange(height), surround)
        return [spreads_of(whole, kernel) for kernel in kernels]
    # Two passes, in float64; of each kernel there are several images, of each image a number a channel.
    pixels = height * width
    totals = [_Totals() for _ in kernels]
    for is_second in (False, True):
        for part in _blocks(ground):
            inputs = inputs_of_rows(ground, statistics, part, surround)
            for kernel, total in zip(kernels, totals):
                images = [values for values, _ in looks(inputs, kernel)]
                if is_second:
                    total.add_squares(images)
                else:
                    total.add(images)
        if not is_second:
            for total in totals:
                total.settle(pixels)
    return [total.spreads(pixels) for total in totals]


class _Totals:
    """Sums over the images of one kernel, and of their squared distances from the means once these are settled."""

    def __init__(self) -> None:
        self.sums: list[np.ndarray] = []
        self.means: list[np.ndarray] = []
        self.squares: list[np.ndarray] = []

    def add(self, images: Sequence[np.ndarray]) -> None:
        """Add some rows of each image."""
        own = [values.sum(axis=(0, 1), dtype=np.float64) for values in images]
        self.sums = _added(self.sums, own)

    def settle(self, pixels: int) -> None:
        """All rows were added: so many pixels."""
        self.means = [total / pixels for total in self.sums]

    def add_squares(self, images: Sequence[np.ndarray]) -> None:
        """Add some rows' squared distances from the means."""
        own = []
        for values, mean in zip(images, self.means):
            apart = values.astype(np.float64) - mean
            own.append(np.sum(apart**2, axis=(0, 1)))
        self.squares = _added(self.squares, own)

    def spreads(self, pixels: int) -> list[Spread]:
        """Of each image."""
        return [_spread(mean, squares, pixels) for mean, squares in zip(self.means, self.squares)]


def _added(totals: list[np.ndarray], more: list[np.ndarray]) -> list[np.ndarray]:
    """Sums of one more block, added to those before."""
    if not totals:
        return more
    return [one + other for one, other in zip(totals, more)]


def _spread(mean: np.ndarray, squares: np.ndarray, pixels: int) -> Spread:
    """A spread from (channels,) mean and sums of squared deviations."""
    variance = 0.0
    if squares.size:
        variance = float(squares.mean()) / pixels
    return Spread(
        mean=mean[None, None].astype(np.float32),
        deviation=float(np.sqrt(variance)),
    )


def _blocks(ground: Ground) -> Iterator[np.ndarray]:
    """Rows of the picture, a few at a time."""
    height, width = ground.hr_msi.shape[:2]
    step = max(1, BLOCK_PIXELS // width)
    for top in range(0, height, step):
        yield np.arange(top, min(top + step, height))


def _mean_of(ground: Ground, seen: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean over all values of the MSI."""
    total = 0.0
    for rows in _blocks(ground):
        total += float(np.sum(seen(ground.hr_msi[rows]), dtype=np.float64))
    return total / ground.hr_msi.size

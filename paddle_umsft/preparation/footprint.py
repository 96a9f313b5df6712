"""What LR pixels at any places see of the MSI, through a PSF with a formula: values, how they change with the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.cells import within
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.cameras.taps import rows_then_columns, taps_matrix
from paddle_umsft.preparation.profiles import Profile, Weights

# HR pixels to either side of a place between which the derivative is taken.
STEP = 0.25


@dataclass
class Seen:
    """What LR pixels see.

    Attributes:
        values: (n, M).
        inside: (n,) share of the footprint that lies on the image.
        down: (n, M) derivative by the row of the place, per HR pixel, where it was asked for.
        right: (n, M) derivative by the column.
    """

    values: np.ndarray
    inside: np.ndarray
    down: Optional[np.ndarray] = None
    right: Optional[np.ndarray] = None


@dataclass
class _Axis:
    """One axis of all footprints: where they look, with which weights, and how these change with the place.

    Attributes:
        index: (n, k) pixels of the picture.
        distance: (n, k) of the pixels from the place, in pixels of the profile.
        pixel: Length of such a pixel.
        taps: (n, k).
        total: (n,) sum of the taps.
        inside: (n,) sum of those on the picture.
        length: Of the picture.
    """

    index: np.ndarray
    distance: np.ndarray
    pixel: float
    taps: np.ndarray
    total: np.ndarray
    inside: np.ndarray
    length: int

    def matrix(self, weights: np.ndarray) -> sparse.csr_matrix:
        """(n, length) sparse matrix of weights."""
        return taps_matrix(self.index, weights, self.length)


def _axis(
    places: np.ndarray,
    weights: Weights,
    profile: Profile,
    length: int,
    span: tuple[int, int],
    pixel: float = 1.0,
) -> _Axis:
    """Footprints along one axis through one function of a profile.

    Args:
        places: (n,) their middles.
        weights: The function.
        profile: What it is of.
        length: Pixels of the picture along the axis.
        span: Those that were recorded.
        pixel: Length of a pixel of the HSI's ground, in which the profile counts.
    """
    wide = int(np.ceil(profile.reach * pixel)) + 1
    first = np.floor(places).astype(int) - wide
    positions = first[:, None] + np.arange(2 * wide + 2)[None, :]
    distance = (positions - places[:, None]) / pixel
    taps = weights(distance)
    is_inside = (positions >= span[0]) & (positions < span[1])
    if profile.border == "wrap":
        is_inside = np.ones_like(is_inside)
    return _Axis(
        index=within(positions, span, profile.border),
        distance=distance,
        pixel=pixel,
        taps=taps,
        total=taps.sum(axis=1),
        inside=np.sum(taps * is_inside, axis=1),
        length=length,
    )


def _change(axis: _Axis, weights: Weights) -> np.ndarray:
    """(n, k) derivative of an axis's taps by the place."""
    step = STEP / axis.pixel
    before = weights(axis.distance - step)
    after = weights(axis.distance + step)
    return (before - after) / (2 * STEP)


def _of_lines(places: np.ndarray, lines: Optional[np.ndarray]) -> np.ndarray:
    """The places of the LR rows in use."""
    if lines is None:
        return places
    return np.asarray(places[lines])


def look(
    hr_msi: np.ndarray,
    placement: Placement,
    lr_shape: tuple[int, int],
    profile: Profile,
    *,
    change: bool = False,
    lines: Optional[np.ndarray] = None,
) -> Seen:
    """What all LR pixels see.

    Args:
        hr_msi: (H, W, M).
        placement: Where LR pixels lie on the MSI.
        lr_shape: (h, w).
        profile: The PSF.
        change: Whether the derivatives are wanted too; they cost twice as much again.
        lines: LR rows in use; None: all.

    Returns:
        Values and derivatives, n = h*w, or what the lines have of them.
    """
    if not placement.is_straight:
        straightened = placement.on_the_hsi(hr_msi, profile.border)
        return look_askew(straightened, placement, lr_shape, profile, change=change, lines=lines)
    height, width, bands = hr_msi.shape
    places = _of_lines(placement.places(lr_shape), lines)
    count = places.shape[0] * places.shape[1]
    values = np.zeros((count, bands))
    down = np.zeros((count, bands))
    right = np.zeros((count, bands))
    total = np.zeros(count)
    inside = np.zeros(count)
    row_pixel, column_pixel = np.diag(placement.matrix)
    spans = placement.span(0, height), placement.span(1, width)
    for row_weights, column_weights in profile.terms:
        rows = _axis(places[:, 0, 0], row_weights, profile, height, spans[0], row_pixel)
        columns = _axis(places[0, :, 1], column_weights, profile, width, spans[1], column_pixel)
        total += np.outer(rows.total, columns.total).ravel()
        inside += np.outer(rows.inside, columns.inside).ravel()
        row_taps, column_taps = rows.matrix(rows.taps), columns.matrix(columns.taps)
        values += _through(hr_msi, row_taps, column_taps)
        if change:
            down += _through(hr_msi, rows.matrix(_change(rows, row_weights)), column_taps)
            right += _through(hr_msi, row_taps, columns.matrix(_change(columns, column_weights)))
    seen = Seen(
        values=values / total[:, None],
        inside=np.clip(inside / total, 0.0, 1.0),
    )
    if change:
        seen.down = down / total[:, None]
        seen.right = right / total[:, None]
    return seen


def look_askew(
    straightened: np.ndarray,
    placement: Placement,
    lr_shape: tuple[int, int],
    profile: Profile,
    *,
    change: bool = False,
    lines: Optional[np.ndarray] = None,
) -> Seen:
    """`look` for a grid that is turned: the MSI has been brought onto it, what changes with the place is turned back.

    Args:
        straightened: (H, W, M) the MSI on the HSI's grid.
        placement: Where LR pixels lie on the MSI.
        lr_shape: (h, w).
        profile: The PSF.
        change: Whether the derivatives are wanted too.
        lines: LR rows in use; None: all.

    Returns:
        Values and derivatives, n = h*w, or what the lines have of them.
    """
    seen = look(straightened, Placement(placement.scale), lr_shape, profile, change=change, lines=lines)
    inverse = np.linalg.inv(placement.matrix)
    askew = Seen(
        values=seen.values,
        inside=covered(straightened.shape[:2], placement, lr_shape, profile, lines=lines),
    )
    if seen.down is not None and seen.right is not None:
        askew.down = inverse[0, 0] * seen.down + inverse[1, 0] * seen.right
        askew.right = inverse[0, 1] * seen.down + inverse[1, 1] * seen.right
    return askew


def covered(
    shape: tuple[int, ...],
    placement: Placement,
    lr_shape: tuple[int, int],
    profile: Profile,
    *,
    lines: Optional[np.ndarray] = None,
) -> np.ndarray:
    """How much of every LR pixel's footprint lies on the MSI.

    Args:
        shape: (H, W) of the MSI.
        placement: Where LR pixels lie on it.
        lr_shape: (h, w).
        profile: The PSF.
        lines: LR rows in use; None: all.

    Returns:
        (h*w,), or what the lines have of them.
    """
    height, width = shape
    places = _of_lines(placement.places(lr_shape), lines)
    down, across = places[..., 0].ravel(), places[..., 1].ravel()
    total = np.zeros(len(down))
    inside = np.zeros(len(down))
    spans = placement.span(0, height), placement.span(1, width)
    for row_weights, column_weights in profile.terms:
        rows = _axis(down, row_weights, profile, height, spans[0])
        columns = _axis(across, column_weights, profile, width, spans[1])
        total += rows.total * columns.total
        inside += rows.inside * columns.inside
    return np.clip(inside / total, 0.0, 1.0)


def _through(
    hr_msi: np.ndarray,
    row_map: sparse.csr_matrix,
    column_map: sparse.csr_matrix,
) -> np.ndarray:
    """(h*w, M): rows and columns one after the other."""
    seen = rows_then_columns(hr_msi, row_map, column_map)
    return seen.reshape(-1, hr_msi.shape[2])

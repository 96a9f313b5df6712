"""Masks: which pixels of an image are data. True is valid, and what lies under False never reaches anything else.

The simplest way to hold that promise: before anything is computed, what is masked is replaced by a smooth surface that
the valid pixels alone decide. Whoever knows masks gives these pixels no weight besides; whoever does not sees the fill.

References:
    S. Gortler et al., "The lumigraph", SIGGRAPH 1996 (pull and push: means of ever larger cells, until none is empty).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.checks import check_finite
from paddle_umsft.data.grid import HALF, HsiGrid
from paddle_umsft.data.scene import Case, Observation
from paddle_umsft.errors import DataError

# Truth values, integers and real numbers: whatever is not zero is valid.
MASK_KINDS = "biuf"
# A mask may come as an image of one band, or of several that all say the same.
IMAGE_AXES = 3
# Below this weight a cell has no mean.
TINY = 1e-30
# Pixels whose places on another grid are looked up at a time.
PLACES_AT_ONCE = 2**20
# Values that are filled at a time: some hundred megabytes while that is done.
FILLED_AT_ONCE = 2**22
# Rows that are looked through at a time.
ROWS_AT_ONCE = 64


def check_mask(
    mask: Any,
    shape: tuple[int, ...],
    where: str,
) -> np.ndarray:
    """Check a mask against its image.

    Args:
        mask: (H, W) or (H, W, 1), truth values or numbers; True, or whatever is not zero, is valid.
        shape: (H, W, ...) of the image.
        where: What it is called in the message.

    Returns:
        (H, W) bool.

    Raises:
        DataError: Another shape or type, NaN, or not one valid pixel.
    """
    values = np.asarray(mask)
    if values.dtype.kind not in MASK_KINDS:
        raise DataError(
            "type of a mask",
            where=where,
            expected="truth values or numbers",
            got=values.dtype,
        )
    check_finite(values, where)
    valid = values != 0
    if valid.ndim == IMAGE_AXES and np.all(valid == valid[:, :, :1]):
        valid = valid[:, :, 0]
    height, width = shape[:2]
    if valid.shape != (height, width):
        raise DataError(
            "size of a mask",
            where=where,
            expected=f"that of its image, {height}x{width}",
            got=values.shape,
        )
    if not valid.any():
        raise DataError(
            "everything is masked",
            where=where,
            expected="True (or not zero) where a pixel is valid",
            got="no valid pixel",
        )
    return np.asarray(valid)


def filled(
    image: np.ndarray,
    valid: np.ndarray,
    where: str,
    stored: Optional[np.dtype] = None,
) -> np.ndarray:
    """An image with what is masked replaced by a smooth surface through the valid pixels.

    Args:
        image: (H, W, B), any real type; anything at all where it is masked.
        valid: (H, W) bool.
        where: What the image is called in a message.
        stored: The image is of float32 and holds numbers of this type, as which holes are filled; it is filled itself,
            and not there twice. None: the image stays as it is.

    Returns:
        (H, W, B) of the same type, the very image where nothing is masked; nowhere outside the range of the valid
        values of a band.

    Raises:
        DataError: A valid value is not a finite number.
    """
    if valid.all():
        return image
    _check_valid(image, valid, where)
    dtype = image.dtype
    whole = image
    if stored is None:
        whole = np.empty_like(image, order="C")
    else:
        dtype = stored
    weight = valid.astype(np.float64)
    height, width, bands = image.shape
    # A surface takes many times the memory of its image: a few bands at a time.
    step = max(1, FILLED_AT_ONCE // (height * width))
    for first in range(0, bands, step):
        some = slice(first, first + step)
        kept = np.where(valid[..., None], image[..., some], np.zeros((), dtype=image.dtype))
        surface = _surface(kept.astype(np.float64), weight)
        if dtype.kind in "iu":
            surface = np.rint(surface)
        surface = surface.astype(dtype)
        whole[..., some] = np.where(valid[..., None], kept, surface.astype(image.dtype))
    return whole


def _check_valid(image: np.ndarray, valid: np.ndarray, where: str) -> None:
    """Refuse an image with NaN or infinity at valid pixels."""
    if image.dtype.kind != "f":
        return
    for top in range(0, len(image), ROWS_AT_ONCE):
        rows = slice(top, top + ROWS_AT_ONCE)
        if not np.isfinite(image[rows][valid[rows]]).all():
            # Counted over the whole image.
            check_finite(np.where(valid[..., None], image, np.zeros((), dtype=image.dtype)), where)


def _cells(image: np.ndarray) -> np.ndarray:
    """Sums over cells of 2 x 2 pixels of (H, W, B); beyond the border there is nothing."""
    height, width = image.shape[:2]
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)))
    rows = even[0::2] + even[1::2]
    return np.asarray(rows[:, 0::2] + rows[:, 1::2])


def _doubled(image: np.ndarray, axis: int, length: int) -> np.ndarray:
    """An axis of cells interpolated to pixels: three parts of the own cell, one of the nearer neighbour."""
    before = np.concatenate([image.take([0], axis), image], axis).take(range(image.shape[axis]), axis)
    after = np.concatenate([image, image.take([-1], axis)], axis).take(range(1, image.shape[axis] + 1), axis)
    first = 0.75 * image + 0.25 * before
    second = 0.75 * image + 0.25 * after
    both = np.stack([first, second], axis + 1)
    flat = list(image.shape)
    flat[axis] *= 2
    return np.asarray(both.reshape(flat).take(range(length), axis))


def _surface(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Pull and push: holes take the means of the cells above them, interpolated.

    Args:
        image: (H, W, B) float64, zero in the holes.
        weight: (H, W), between 0 in a hole and 1.
    """
    if weight.all():
        return image
    sums = _cells(image * weight[..., None])
    weights = _cells(weight[..., None])  # (H / 2, W / 2, 1)
    means = sums / np.maximum(weights, TINY)
    coarse = _surface(means, np.minimum(weights[..., 0], 1.0))
    height, width = weight.shape
    pushed = _doubled(_doubled(coarse, 0, height), 1, width)
    share = weight[..., None]
    return np.asarray(share * image + (1.0 - share) * pushed)


def without_masked(observation: Observation) -> Observation:
    """An observation in which nothing is left of what its masks hide.

    Every method is given what this returns. Once more changes nothing.

    Args:
        observation: What the cameras saw.

    Returns:
        The very observation without masks, else one with both masks checked and what they hide filled.

    Raises:
        DataError: A mask does not fit its image, or a valid value is not finite.
    """
    masks = {"lr_hsi": observation.mask_hsi, "hr_msi": observation.mask_msi}
    names = {"lr_hsi": "mask_hsi", "hr_msi": "mask_msi"}
    changes: dict[str, Any] = {}
    for image_name, mask in masks.items():
        if mask is None:
            continue
        image = getattr(observation, image_name)
        valid = check_mask(mask, image.shape, names[image_name])
        changes[names[image_name]] = valid
        changes[image_name] = filled(image, valid, image_name)
    if not changes:
        return observation
    return replace(observation, **changes)


def valid_pixels(observation: Observation) -> Optional[np.ndarray]:
    """(H, W) pixels that at least one camera has seen; None: no mask was given, all of them.

    Args:
        observation: Its masks count.
    """
    of_hsi = observation.mask_hsi
    of_msi = observation.mask_msi
    if of_hsi is None and of_msi is None:
        return None
    if of_hsi is None or of_msi is None:
        return np.ones(observation.shape, dtype=bool)
    if observation.grid is not None:
        return np.asarray(of_msi | _on_msi(of_hsi, observation.grid, observation.shape))
    rows = np.repeat(of_hsi, observation.scale, axis=0)
    return np.asarray(of_msi | np.repeat(rows, observation.scale, axis=1))


def judged_pixels(case: Case) -> Optional[np.ndarray]:
    """(H, W) pixels in which a result can be held against the truth; None: all of them."""
    seen = valid_pixels(case.observation)
    if seen is None:
        return case.mask
    if case.mask is None:
        return seen
    return np.asarray(seen & case.mask)


def _on_msi(
    mask: np.ndarray,
    grid: HsiGrid,
    shape: tuple[int, int],
) -> np.ndarray:
    """(H, W) bool: MSI pixels whose middle lies in a pixel of the HSI that its (h, w) mask calls valid."""
    seen = np.zeros(shape, dtype=bool)
    to_hsi = np.linalg.inv(grid.matrix).T
    # Some rows at a time: of all pixels of a large scene the places alone would not fit.
    step = max(1, PLACES_AT_ONCE // shape[1])
    for top in range(0, shape[0], step):
        bottom = min(top + step, shape[0])
        rows, columns = np.mgrid[top:bottom, : shape[1]]
        middles = np.stack([rows, columns], axis=2) + HALF
        own = np.floor((middles - grid.origin) @ to_hsi).astype(int)  # (n, W, 2)
        is_within = np.all((own >= 0) & (own < np.array(mask.shape)), axis=2)
        inside = own[is_within]
        seen[top:bottom][is_within] = mask[inside[:, 0], inside[:, 1]]
    return seen


def masked_notes(observation: Observation) -> tuple[str, ...]:
    """What a user is told of the masks, a line each image that has one."""
    notes = []
    for name, mask in (("HSI", observation.mask_hsi), ("MSI", observation.mask_msi)):
        if mask is not None and not mask.all():
            share = 100 * float(np.mean(~mask))
            notes.append(f"{share:.2g} % of the {name}'s pixels are masked: nothing of them was used")
    valid = valid_pixels(observation)
    if valid is not None and not valid.all():
        share = 100 * float(np.mean(~valid))
        notes.append(f"{share:.2g} % of the result's pixels were seen by neither camera: no data, filled")
    return tuple(notes)

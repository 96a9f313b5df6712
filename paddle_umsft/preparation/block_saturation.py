"""Saturated MSI pixels of a very large pair, if a block of it has some: raised in all of it, a few rows at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paddle_umsft.preparation.block_parts import Part, can_be_parted, parts_with
from paddle_umsft.preparation.block_placed import Block
from paddle_umsft.preparation.estimate import Degradations, operator_of
from paddle_umsft.preparation.prepared import FILLED_TRUST, Prepared
from paddle_umsft.preparation.saturation import (
    CLEAN_PER_BAND,
    LEAST_CLEAN,
    LEAST_PIXELS,
    LEAST_SHARE,
    LEVEL,
    SATURATED,
    TOUCHED,
    desaturated,
)

# What it is called in findings.
NAME = "saturation"
# HR pixels that are looked at at a time.
AT_ONCE = 2**20


def without_saturation(
    whole: Prepared,
    block: Block,
    prepared: Prepared,
    degradations: Degradations,
) -> bool:
    """Raise plateaus of a whole pair to what the HSI shows, if that was done in a block of it.

    Args:
        whole: The pair, placed, before strangers are looked for; is given its MSI, trust, note and finding.
        block: The block as it was.
        prepared: The block with everything undone.
        degradations: Those of the block.

    Returns:
        Whether nothing is left to be done; not where images are turned, or laid out anew.
    """
    if NAME not in prepared.found:
        return True
    if not can_be_parted(whole):
        return False
    observation = whole.observation
    height, width = block.pair.shape
    censored = _plateaus(observation.hr_msi, height * width)
    operator = operator_of(degradations.psf, whole, degradations.border)
    share = operator.forward(censored.astype(np.float32))  # (h, w, M)
    is_touched = np.any(share > TOUCHED, axis=2)
    whole.fit_trust &= ~is_touched
    sees_some = np.any(share > 0, axis=2)
    hr_msi = observation.hr_msi.astype(np.float32)
    for part in parts_with(whole, degradations, sees_some):
        of_part = censored[part.hr_rows]
        hr_msi[part.own_hr] = _raised(part, of_part)
    unsure = np.any(censored, axis=2)
    whole.observation = replace(observation, hr_msi=hr_msi)
    whole.msi_trust[unsure] = np.minimum(whole.msi_trust[unsure], FILLED_TRUST)
    size = 100 * float(unsure.mean())
    whole.found[NAME] = size
    whole.notes = [note for note in whole.notes if not note.endswith(SATURATED)]
    whole.notes.append(f"{size:.2g} {SATURATED}")
    return True


def _raised(part: Part, censored: np.ndarray) -> np.ndarray:
    """The MSI of a part's own rows; as it is where too little of the part is clean to tell by.

    Args:
        part: The part.
        censored: (n, W, M) pixels at a plateau, of all its rows.
    """
    hr_msi = part.view.hr_msi
    clean = part.view.trusted
    least = CLEAN_PER_BAND * censored.shape[2] + LEAST_CLEAN
    if clean.sum() >= least:
        hr_msi = desaturated(part.view, censored, clean)
    return part.own_of(hr_msi)


def _plateaus(hr_msi: np.ndarray, of_block: int) -> np.ndarray:
    """(H, W, M) pixels at the largest value of their band, in bands where these are as many as a plateau of a block.

    Args:
        hr_msi: (H, W, M).
        of_block: HR pixels of the block.
    """
    top = hr_msi.max(axis=(0, 1))
    span = top - hr_msi.min(axis=(0, 1))
    level = top - LEVEL * span
    censored = np.zeros(hr_msi.shape, dtype=bool)
    step = max(1, AT_ONCE // hr_msi.shape[1])
    for first in range(0, len(hr_msi), step):
        some = slice(first, first + step)
        censored[some] = hr_msi[some] >= level
    enough = max(LEAST_PIXELS, LEAST_SHARE * of_block)
    is_plateau = np.count_nonzero(censored, axis=(0, 1)) >= enough  # (M,)
    return np.asarray(censored & is_plateau)

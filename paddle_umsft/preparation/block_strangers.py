"""Strangers of a very large pair, which no block in its middle tells: they are looked for in all of it.

Behind the PSF that the block has told, at LR pixels, a very large pair is not large any more. What most LR pixels agree
on is found on some of them, evenly spread; all are held against it, a few rows at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.preparation.block_parts import can_be_parted, parts_with
from paddle_umsft.preparation.block_seen import at_lr_pixels, seen_by_all
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.finish import is_moved
from paddle_umsft.preparation.illumination import lit_groups, logarithm_of, relit, unsure_part
from paddle_umsft.preparation.prepare import COMMON_GROUND, LEAST_PIXELS
from paddle_umsft.preparation.prepared import Prepared
from paddle_umsft.preparation.strangers import Strangers, far_off, strangers_of
from paddle_umsft.preparation.told_strangers import name_strangers
from paddle_umsft.preparation.view import Fit, fit, leading_directions, majority

# LR pixels that agree on a mix, at most: some thousand for each of its numbers.
MOST_FITTED = 2**16
# Values of the LR-HSI that are looked at in float64 at a time.
AT_ONCE = 2**23


@dataclass(frozen=True)
class _Agreed:
    """What most LR pixels agree on.

    Attributes:
        leading: (C, q) directions of the HSI's spectra.
        found: The mix of these that makes the MSI's bands, and how far the majority is off it.
    """

    leading: np.ndarray
    found: Fit

    def explained(self, pixels: np.ndarray) -> np.ndarray:
        """(..., M) what (..., C) spectra make of the MSI's bands."""
        return np.asarray(pixels @ self.leading @ self.found.factors)


def leave_out_strangers(whole: Prepared, degradations: Degradations) -> None:
    """Find what does not belong in a whole pair, leave it out, and name it.

    What differs by the light alone is lit anew; where the images are turned or laid out anew, it is left out as well.

    Args:
        whole: Everything else undone; is given trust, notes and findings, and stays as it is where nothing is found.
        degradations: Those of a block of it.
    """
    # As in small pairs: where the images have little in common, nothing can be told from it.
    if degradations.agreement < COMMON_GROUND:
        return
    if whole.fit_trust.sum() < LEAST_PIXELS:
        return
    lr_msi, inside = seen_by_all(whole, degradations)
    agreed = _agreed_on(whole, degradations, lr_msi, inside)
    strangers, explained = _held_against(agreed, whole, degradations, lr_msi, inside)
    if not strangers.mask.any():
        return
    logarithms = logarithm_of(lr_msi, explained)
    brightness = lr_msi.mean(axis=2)
    lit = lit_groups(strangers, logarithms, brightness)
    _leave_out(whole, degradations, strangers, lit)


def _held_against(
    agreed: _Agreed,
    whole: Prepared,
    degradations: Degradations,
    lr_msi: np.ndarray,
    inside: np.ndarray,
) -> tuple[Strangers, np.ndarray]:
    """Every LR pixel held against what most agree on.

    Args:
        agreed: That.
        whole: The pair.
        degradations: Those of a block of it.
        lr_msi: (h, w, M) the MSI as LR pixels see it.
        inside: (h, w) share of their footprints that lies on it.

    Returns:
        Those that are far off, and (h, w, M) what the HSI says that LR pixels should see.
    """
    lr_hsi = whole.observation.lr_hsi
    height, width, bands = lr_hsi.shape
    explained = np.empty_like(lr_msi)
    off = np.zeros((height, width), dtype=bool)
    is_wild = np.zeros((height, width), dtype=bool)
    placement = whole.placement or Placement(whole.observation.scale)
    whole_only = is_moved(placement)
    step = max(1, AT_ONCE // (width * bands))
    for top in range(0, height, step):
        some = slice(top, top + step)
        pixels = lr_hsi[some].astype(np.float64)
        seen = lr_msi[some]
        wanted = agreed.explained(pixels)
        by_mix = np.abs(seen - wanted)
        # A rare spectrum lies beside the leading directions of the others; the SRF knows all bands of it.
        by_srf = np.abs(seen - pixels @ degradations.srf.T)
        distance = np.minimum(by_mix, by_srf)
        far, wild = far_off(
            distance.reshape(-1, distance.shape[2]),
            agreed.found,
            inside[some].ravel(),
            degradations.doubt,
            whole_only=whole_only,
        )
        explained[some] = wanted
        off[some] = far.reshape(-1, width)
        is_wild[some] = wild.reshape(-1, width)
    off &= whole.fit_trust
    return strangers_of(off, is_wild), explained


def _agreed_on(
    whole: Prepared,
    degradations: Degradations,
    lr_msi: np.ndarray,
    inside: np.ndarray,
) -> _Agreed:
    """What most LR pixels agree on, by some that are evenly spread.

    Args:
        whole: The pair.
        degradations: Those of a block of it.
        lr_msi: (h, w, M) the MSI as LR pixels see it.
        inside: (h, w) share of their footprints that lies on it.
    """
    rows, columns = np.nonzero(whole.fit_trust)
    step = -(-len(rows) // MOST_FITTED)
    # As if they were an image of one row.
    places = (rows[None, ::step], columns[None, ::step])
    view = at_lr_pixels(whole, degradations, places, lr_msi, inside)
    seen = view.seen()
    found = fit(view, seen=seen, start=majority(view, seen))
    return _Agreed(
        leading=leading_directions(view.lr_hsi[0], found.counted),
        found=found,
    )


def _leave_out(
    whole: Prepared,
    degradations: Degradations,
    strangers: Strangers,
    lit: np.ndarray,
) -> None:
    """No fit is made on strangers, and no result has to agree with those that differ by more than the light.

    Args:
        whole: The pair.
        degradations: Those of a block of it.
        strangers: What was found in it.
        lit: (h, w) those that differ by the light.
    """
    is_corrected = can_be_parted(whole)
    useless = strangers.mask
    if is_corrected:
        useless = strangers.mask & ~lit
    whole.fit_trust &= ~strangers.mask
    whole.use_trust &= ~useless
    whole.own_trust &= ~useless
    if is_corrected and lit.any():
        _light_anew(whole, degradations, strangers, lit)
    name_strangers(whole, strangers, lit, is_corrected=is_corrected)


def _light_anew(
    whole: Prepared,
    degradations: Degradations,
    strangers: Strangers,
    lit: np.ndarray,
) -> None:
    """Light the MSI as the HSI is, a few rows at a time; arguments as those of `_leave_out`."""
    observation = whole.observation
    hr_msi = observation.hr_msi.astype(np.float32)
    unsure = np.zeros(observation.shape, dtype=np.float32)
    for part in parts_with(whole, degradations, lit):
        own = Strangers(
            mask=strangers.mask[part.lr_rows],
            groups=[],
            singles=0,
        )
        corrected, gain = relit(part.view, own, lit[part.lr_rows])
        hr_msi[part.own_hr] = part.own_of(corrected)
        unsure[part.own_hr] = part.own_of(unsure_part(gain, part.scale))
    whole.observation = replace(observation, hr_msi=hr_msi)
    whole.unsure_light = unsure

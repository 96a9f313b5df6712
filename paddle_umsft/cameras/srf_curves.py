"""Curves over wavelength -> the SRF of a scene: which bands it covers, which are left out, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from paddle_umsft.cameras.curves import Curves, weights_of
from paddle_umsft.cameras.response import Srf, supports_of
from paddle_umsft.errors import ConfigError, DataError

# What a scene misses of a response is worth a word from 2 per cent on: that much is lost in a filter's tails.
WORTH_A_WORD = 0.98


def srf_of_curves(
    curves: Curves,
    wavelengths_nm: Optional[np.ndarray],
    *,
    where: str,
    label: str,
    bands: Sequence[str],
    is_named: bool,
    least_covered: float,
    fwhm_nm: Optional[np.ndarray] = None,
) -> Srf:
    """Integrate responses over a scene's bands and leave out what it does not cover.

    Args:
        curves: The responses.
        wavelengths_nm: (C,) band centres of the scene, ascending, if known.
        where: Setting or file, for messages.
        label: What the camera is called in notes.
        bands: Names of the wanted bands.
        is_named: The user named them: none may then be left out.
        least_covered: Share of a response that the scene has to cover.
        fwhm_nm: (C,) widths of the scene's bands, if known.

    Raises:
        ConfigError: Unknown band name.
        DataError: Wavelengths not known, or a band (all bands, where none was named) outside them.
    """
    if wavelengths_nm is None:
        raise DataError("the scene's wavelengths are not known", where=where, hint="set data.wavelengths_nm")
    unknown = [name for name in bands if name not in curves.names]
    if unknown:
        raise ConfigError(
            "unknown band",
            where="observe.bands",
            expected=", ".join(curves.names),
            got=", ".join(unknown),
        )
    nm = np.asarray(wavelengths_nm, np.float64)
    chosen = curves.chosen([curves.names.index(name) for name in bands])
    weights, covered = weights_of(chosen, nm, fwhm_nm)
    is_kept = (covered >= least_covered) & (weights.sum(axis=1) > 0)
    kept = [int(place) for place in np.flatnonzero(is_kept)]
    outside = [_outside_text(chosen, int(place)) for place in np.flatnonzero(~is_kept)]
    listed = ", ".join(outside)
    # Bands that nobody asked for by name may be left out, as long as one is left.
    if outside and (is_named or not kept):
        raise DataError(
            f"{listed} outside the scene's wavelengths (or in a gap between its bands)",
            where=where,
            got=range_text(nm),
            hint="choose others with observe.bands",
        )
    notes = []
    if outside:
        notes.append(f"{label} {listed} left out: outside the scene's {range_text(nm)}")
    partly = [f"{bands[place]} to {covered[place]:.0%}" for place in kept if covered[place] < WORTH_A_WORD]
    if partly:
        notes.append(f"{label}: the scene's {range_text(nm)} cover {', '.join(partly)} of the response only")
    values = weights[kept]  # (M, C)
    return Srf(
        values=values,
        names=tuple(bands[place] for place in kept),
        supports=supports_of(values),
        notes=tuple(notes),
        kept=tuple(kept),
        wanted=len(bands),
    )


def _outside_text(curves: Curves, place: int) -> str:
    """Return a band's name and where it looks, for messages."""
    curve = curves.values[place]
    middle = float(curve @ curves.wavelengths_nm / curve.sum())
    return f"{curves.names[place]} ({middle:.4g} nm)"


def range_text(wavelengths_nm: np.ndarray) -> str:
    """Return the range of the scene's wavelengths, for messages."""
    return f"{wavelengths_nm[0]:g}...{wavelengths_nm[-1]:g} nm"

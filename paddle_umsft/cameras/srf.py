"""The SRF that the configuration asks for: of a camera known by name, or from a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from paddle_umsft.cameras.response import Srf
from paddle_umsft.cameras.srf_files import load_srf
from paddle_umsft.cameras.srf_named import SENSORS, nikon_d700, sensor_srf, uniform_srf
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.checks import check_counted, check_supports
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.errors import DataError

# Settings, number of bands C, their (C,) wavelengths and widths in nm, if known -> SRF.
Camera = Callable[[ObserveConfig, int, Optional[np.ndarray], Optional[np.ndarray]], Srf]


def _sensor(name: str) -> Camera:
    """Return the camera of a sensor whose responses stand in a table."""
    return lambda settings, bands, nm, fwhm: sensor_srf(name, nm, settings.bands, fwhm)


# Cameras known by name (`observe.srf`). A new one is a table and one row of `SENSORS`, or a function and one row here.
CAMERAS: dict[str, Camera] = {
    "nikon_d700": lambda settings, bands, nm, fwhm: nikon_d700(bands, nm),
    "uniform": lambda settings, bands, nm, fwhm: uniform_srf(bands, settings.msi_bands, settings.supports),
    **{name: _sensor(name) for name in SENSORS},
}


def build_srf(
    settings: ObserveConfig,
    bands: int,
    wavelengths_nm: Optional[np.ndarray] = None,
    band_order: Optional[Sequence[int]] = None,
    fwhm_nm: Optional[np.ndarray] = None,
) -> Srf:
    """Make the SRF that the configuration asks for, for a scene's bands.

    Args:
        settings: Section `observe`: `srf`, `srf_key`, `bands`, `msi_bands`, `supports`.
        bands: C of the scene.
        wavelengths_nm: (C,) band centres, ascending, if known.
        band_order: Of each band its place in the scene's file, where bands were sorted or left out.
        fwhm_nm: (C,) full widths at half maximum of the bands, if known.

    Returns:
        The SRF; its supports are the configured ones, else those published for the Nikon D700, else those of
        `supports_of`.

    Raises:
        ConfigError: Unknown band of the camera, or supports that do not fit, or are given where bands were sorted.
        DataError: The SRF does not fit the scene (band count, wavelengths), or its file cannot be used.
    """
    configured = check_counted(settings.supports, band_order)
    settings = settings.model_copy(update={"supports": configured})
    make = CAMERAS.get(settings.srf)
    if make is not None:
        srf = make(settings, bands, wavelengths_nm, fwhm_nm)
    else:
        _check_is_file(settings.srf)
        srf = load_srf(
            settings.srf,
            bands,
            wavelengths_nm,
            key=settings.srf_key,
            band_order=band_order,
            msi_bands=settings.bands,
            fwhm_nm=fwhm_nm,
        )
    if settings.supports is None:
        return srf
    msi_bands = srf.values.shape[0]
    supports = check_supports(settings.supports, bands, msi_bands)
    return replace(srf, supports=supports)


def widths_of(facts: Optional[FileFacts]) -> Optional[np.ndarray]:
    """Return (C,) full widths at half maximum of a cube's bands in nm, where its file knows them all."""
    if facts is None or facts.bands.fwhm_nm is None:
        return None
    widths = np.asarray(facts.bands.fwhm_nm, np.float64)
    if facts.order is not None:
        widths = widths[list(facts.order)]
    # Some files have 0 where they know nothing.
    if not np.all(np.isfinite(widths)) or widths.min() <= 0:
        return None
    return widths


def _check_is_file(name: str) -> None:
    """Refuse what is neither a known name nor looks like a file: a misspelt name, most likely."""
    # Unlike those of Path, these two say no to a name that is too long, and leave an unknown home alone.
    if Path(name).suffix or os.path.exists(os.path.expanduser(name)):
        return
    raise DataError(
        "no SRF of that name, and no such file",
        where=f"observe.srf {name}",
        hint=f"known by name: {', '.join(CAMERAS)}",
    )

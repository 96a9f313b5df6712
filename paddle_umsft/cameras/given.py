"""Pairs that were made elsewhere, as the methods take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.observe import settings_facts
from paddle_umsft.cameras.psf import build_psf
from paddle_umsft.cameras.response import Srf
from paddle_umsft.cameras.srf import build_srf, widths_of
from paddle_umsft.cameras.told import with_told_camera
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.checks import check_counted, check_cube, check_grids, check_srf, check_supports
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.reading import ImagePair
from paddle_umsft.data.scene import Case, Observation
from paddle_umsft.errors import DataError

# A known SRF that makes a band twice or half as bright as it is has not made it.
BRIGHTNESS_LIMITS = (0.5, 2.0)
# Keeps a dark band's quotient finite.
DARK = 1e-12


def pair_from_files(
    images: ImagePair,
    observe: ObserveConfig,
    name: Optional[str] = None,
) -> Case:
    """Make a case of two images as `read_pair` of `data/reading.py` returned them; errors as of `pair`.

    Args:
        images: Both images and what their files say.
        observe: Section `observe`.
        name: Instead of theirs.
    """
    return pair(
        images.lr_hsi,
        images.hr_msi,
        observe,
        name=name or images.name,
        wavelengths_nm=images.wavelengths_nm,
        meta=images.meta,
        mask_hsi=images.mask_hsi,
        mask_msi=images.mask_msi,
        hsi_facts=images.hsi_facts,
        msi_facts=images.msi_facts,
        grid=images.grid,
    )


def pair(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    observe: ObserveConfig,
    *,
    name: str = "pair",
    wavelengths_nm: Optional[np.ndarray] = None,
    meta: Optional[dict[str, Any]] = None,
    mask_hsi: Optional[np.ndarray] = None,
    mask_msi: Optional[np.ndarray] = None,
    hsi_facts: Optional[FileFacts] = None,
    msi_facts: Optional[FileFacts] = None,
    grid: Optional[HsiGrid] = None,
) -> Case:
    """Make a case of two images made elsewhere; there is no truth.

    Of `observe`, only `scale` (checked against the sizes), `origin`, `border`, `supports`, and, where `known_psf` or
    `known_srf` is set, `psf` and `srf` are used. A known SRF relates the values in the two files; where each image was
    divided by its own maximum (`meta`: `normalise`, `divisor`, `divisor_msi`), it is rescaled to relate the divided
    ones. Other divisors are units that the user chose, and it relates the divided images as it stands.

    Args:
        lr_hsi: (h, w, C), normalised.
        hr_msi: (H, W, M), normalised.
        observe: Section `observe`.
        name: Short name.
        wavelengths_nm: (C,) HSI band centres, if known.
        meta: Facts to be kept; what `read_pair` says of divisors and of the order of bands counts.
        mask_hsi: (h, w), True where the LR-HSI holds data; None: everywhere.
        mask_msi: (H, W), the same for the HR-MSI.
        hsi_facts: What the LR-HSI's file says beside its numbers.
        msi_facts: The same of the HR-MSI's.
        grid: Where the HSI's pixels lie, where the files say so; what `observe` says goes before.

    Returns:
        The observation without truth. Without `observe.supports` and a known SRF, the supports are not known.

    Raises:
        DataError: Unusable image, sizes that do not agree by one whole factor without a grid, or no common ground.
        ConfigError: Supports out of range, or given by band number where the bands were sorted.
    """
    meta = meta or {}
    band_order = meta.get("band_order")
    configured = check_counted(observe.supports, band_order)
    check_cube(lr_hsi, f"{name}: LR-HSI")
    check_cube(hr_msi, f"{name}: HR-MSI")
    scale, grid = check_grids(lr_hsi.shape, hr_msi.shape, *_placing(observe, grid))
    bands = lr_hsi.shape[2]
    msi_bands = hr_msi.shape[2]
    notes = tuple(meta.get("notes", ()))
    supports = None
    if configured is not None:
        supports = check_supports(configured, bands, msi_bands)
    psf = None
    if observe.known_psf:
        psf = build_psf(observe.psf, scale)
    srf = None
    known_srf = None
    if observe.known_srf:
        observe, told = with_told_camera(observe, msi_facts)
        notes += told
        made = build_srf(observe, bands, wavelengths_nm, band_order, widths_of(hsi_facts))
        hr_msi = _seen_bands(hr_msi, made, observe.srf)
        check_srf(made.values, bands, f"SRF {observe.srf}", msi_bands=hr_msi.shape[2])
        ratio = _unit_ratio(meta)
        srf = replace(made, values=made.values * ratio)
        known_srf = srf.values
        supports = srf.supports
        notes += srf.notes
        notes += tuple(_srf_notes(known_srf, ratio, lr_hsi, hr_msi))
    if "border" not in observe.model_fields_set:
        # Cameras see what is really there; only simulators wrap an image around.
        observe = observe.model_copy(update={"border": "reflect"})
    facts = {
        **meta,
        **settings_facts(notes, observe, srf),
        "simulated": False,
    }
    observation = Observation(
        # What is float32 already is not there twice.
        lr_hsi=lr_hsi.astype(np.float32, copy=False),
        hr_msi=hr_msi.astype(np.float32, copy=False),
        scale=scale,
        name=name,
        supports=supports,
        psf=psf,
        srf=known_srf,
        wavelengths_nm=wavelengths_nm,
        meta=facts,
        mask_hsi=mask_hsi,
        mask_msi=mask_msi,
        hsi_facts=hsi_facts,
        msi_facts=msi_facts,
        grid=grid,
    )
    return Case(observation=observation)


def size_of_pair(
    images: ImagePair,
    observe: ObserveConfig,
    name: Optional[str] = None,
) -> Observation:
    """Make an observation of two images of which only the sizes are known; errors as of `pair`, as far as they show.

    Args:
        images: As `heads_of_pair` of `data/heads.py` returned them.
        observe: Section `observe`.
        name: Instead of theirs.
    """
    lr_shape = images.lr_hsi.shape
    hr_shape = images.hr_msi.shape
    scale, grid = check_grids(lr_shape, hr_shape, *_placing(observe, images.grid))
    msi_bands = hr_shape[2]
    if observe.known_srf:
        observe, _ = with_told_camera(observe, images.msi_facts)
        order = images.meta.get("band_order")
        made = build_srf(observe, lr_shape[2], images.wavelengths_nm, order, widths_of(images.hsi_facts))
        # A pixel stands for all: bands are taken out by a copy.
        msi_bands = _seen_bands(images.hr_msi[:1, :1], made, observe.srf).shape[2]
    return Observation(
        lr_hsi=images.lr_hsi,
        hr_msi=images.hr_msi[:, :, :msi_bands],
        scale=scale,
        name=name or images.name,
        wavelengths_nm=images.wavelengths_nm,
        meta={"simulated": False},
        hsi_facts=images.hsi_facts,
        msi_facts=images.msi_facts,
        grid=grid,
    )


def _seen_bands(hr_msi: np.ndarray, srf: Srf, name: str) -> np.ndarray:
    """Return the HR-MSI without the bands that lie outside the HSI, where its bands are those of the camera.

    Raises:
        DataError: It has another number of bands than the camera.
    """
    if srf.kept is None or srf.wanted is None:
        return hr_msi
    found = hr_msi.shape[2]
    if found != srf.wanted:
        raise DataError(
            "MSI bands of the SRF",
            where=f"SRF {name}",
            expected=f"{found} as in the HR-MSI",
            got=srf.wanted,
            hint="say which the file's bands are, in its order: observe.bands=[...]",
        )
    return hr_msi[:, :, list(srf.kept)]


def _placing(observe: ObserveConfig, grid: Optional[HsiGrid]) -> tuple[Optional[float], Optional[HsiGrid]]:
    """Return the ratio and the grid that count: what the user says goes before what the files say."""
    if observe.scale is None:
        return None, grid
    if observe.origin is None:
        return observe.scale, None
    return observe.scale, HsiGrid.of_ratio(observe.scale, observe.origin)


def _unit_ratio(meta: dict[str, Any]) -> float:
    """Return the factor by which dividing each image by its own maximum has changed the SRF between them."""
    if "max" not in (meta.get("normalise"), meta.get("normalise_msi")):
        return 1.0
    return float(meta["divisor"] / meta["divisor_msi"])


def _srf_notes(
    srf: np.ndarray,
    ratio: float,
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
) -> Iterator[str]:
    """Say of a known SRF how it was rescaled, and whether it could have made this HR-MSI at all."""
    if ratio != 1.0:
        yield f"the known SRF relates the files' values; for the normalised images it is multiplied by {ratio:.4g}"
    # Blur and decimation keep the mean, so an SRF that fits gets the MSI's mean right within a few per cent.
    spectrum = lr_hsi.mean(axis=(0, 1), dtype=np.float64)  # (C,)
    made = srf @ spectrum  # (M,)
    found = hr_msi.mean(axis=(0, 1), dtype=np.float64)
    factors = np.maximum(made, DARK) / np.maximum(found, DARK)
    # Twice as bright is as far off as half as bright.
    distances = np.abs(np.log(factors))
    worst = int(np.argmax(distances))
    factor = factors[worst]
    low, high = BRIGHTNESS_LIMITS
    if not low <= factor <= high:
        yield (
            f"the known SRF makes MSI band {worst} (counted from 0) {factor:.3g} times as bright as it is: "
            "is it in the units of the two files?"
        )

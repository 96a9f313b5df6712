"""Scene -> what the two cameras record: simulation with known physics, and pairs that were made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.noise import add_noise, noise_sigma
from paddle_umsft.cameras.psf import build_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.cameras.srf import Srf, build_srf, check_counted
from paddle_umsft.config.data import DEFAULT_SCALE, ObserveConfig
from paddle_umsft.data.checks import check_cube, check_pair, check_scale, check_srf, check_supports, crop_size
from paddle_umsft.data.scene import Case, Observation, Scene
from paddle_umsft.errors import DataError


def simulate(scene: Scene, observe: ObserveConfig, seed: int = 0) -> Case:
    """Simulates both cameras: LR-HSI = PSF and decimation, HR-MSI = SRF, then noise.

    The scene is cropped at the bottom and the right to a multiple of the scale; the crop is named in the notes.
    The noise of the two images comes from two streams, so that changing the one leaves the other as it is.

    Args:
        scene: The truth.
        observe: Scale, PSF, SRF, noise; `known_psf` and `known_srf` hand them to the method.
        seed: Seed of the noise.

    Returns:
        The observation with the truth, the true PSF and the true SRF beside it. `observation.meta` holds
        `normalise`, `divisor`, `source`, `notes` (list of lines), `simulated`, `crop`, `seed`, `observe` (the
        settings), `srf_names` and the noise in dB and as standard deviation.

    Raises:
        ConfigError: Scale, supports or PSF settings out of range.
        DataError: Scale larger than the image, SRF that does not fit the scene, unusable PSF or SRF file.
    """
    check_cube(scene.hr_hsi, scene.name)
    scale = check_scale(DEFAULT_SCALE if observe.scale is None else observe.scale)
    scene, crop = crop_to_scale(scene, scale)
    psf = build_psf(observe.psf, scale)
    srf = build_srf(observe, scene.hr_hsi.shape[2], scene.wavelengths_nm, scene.band_order)
    # float64 inside: rounding of the simulation is then below that of the float32 it is stored in.
    truth = scene.hr_hsi.astype(np.float64)
    lr_hsi = SpatialDegradation(psf, scale).forward(truth)
    hr_msi = SpectralDegradation(srf.values).forward(truth)
    meta = _meta(scene.notes + srf.notes, observe, srf, scene)
    meta.update(simulated=True, crop=crop, seed=seed, psf_shape=list(psf.shape))
    for name, image, snr_db in (("hsi", lr_hsi, observe.snr_hsi_db), ("msi", hr_msi, observe.snr_msi_db)):
        meta[f"snr_{name}_db"] = snr_db
        meta[f"noise_sigma_{name}"] = 0.0 if snr_db is None else noise_sigma(image, snr_db)
    streams = [np.random.RandomState([seed, which]) for which in (0, 1)]
    observation = Observation(
        lr_hsi=add_noise(lr_hsi, observe.snr_hsi_db, streams[0]).astype(np.float32),
        hr_msi=add_noise(hr_msi, observe.snr_msi_db, streams[1]).astype(np.float32),
        scale=scale,
        name=scene.name,
        supports=srf.supports,
        psf=psf if observe.known_psf else None,
        srf=srf.values if observe.known_srf else None,
        wavelengths_nm=scene.wavelengths_nm,
        meta=meta,
    )
    return Case(observation, reference=scene.hr_hsi, true_psf=psf, true_srf=srf.values)


def pair(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    observe: ObserveConfig,
    *,
    name: str = "pair",
    wavelengths_nm: Optional[np.ndarray] = None,
    meta: Optional[dict[str, Any]] = None,
) -> Case:
    """Two images made elsewhere; there is no truth.

    Of `observe`, only `scale` (checked against the sizes), `supports`, and, where `known_psf` or `known_srf` is
    set, `psf` and `srf` are used. A known SRF relates the values in the two files; where each image was divided by
    its own maximum (`meta`: `normalise`, `divisor`, `divisor_msi`), it is rescaled to relate the divided ones. Other
    divisors are units that the user chose, and it relates the divided images as it stands.

    Args:
        lr_hsi: (h, w, C), normalised.
        hr_msi: (H, W, M), normalised.
        observe: Section `observe`.
        name: Short name.
        wavelengths_nm: (C,) HSI band centres, if known.
        meta: Facts to be kept; what `read_pair` says of divisors and of the order of bands counts.

    Returns:
        The observation without truth. Without `observe.supports` and a known SRF, the supports are not known.

    Raises:
        DataError: Unusable image, or sizes that do not agree by one whole factor.
        ConfigError: Supports out of range, or given by band number where the bands were sorted.
    """
    meta = meta or {}
    band_order = meta.get("band_order")
    check_counted(observe, band_order)
    check_cube(lr_hsi, f"{name}: LR-HSI")
    check_cube(hr_msi, f"{name}: HR-MSI")
    scale = check_pair(lr_hsi.shape, hr_msi.shape, observe.scale)
    bands, msi_bands = lr_hsi.shape[2], hr_msi.shape[2]
    supports = None if observe.supports is None else check_supports(observe.supports, bands, msi_bands)
    psf = build_psf(observe.psf, scale) if observe.known_psf else None
    notes = tuple(meta.get("notes", ()))
    srf = None
    if observe.known_srf:
        srf = build_srf(observe, bands, wavelengths_nm, band_order)
        values = check_srf(srf.values, bands, f"SRF {observe.srf}")
        if values.shape[0] != msi_bands:
            raise DataError("MSI bands of the SRF", where=observe.srf, expected=msi_bands, got=values.shape[0])
        ratio = meta["divisor"] / meta["divisor_msi"] if meta.get("normalise") == "max" else 1.0
        srf = replace(srf, values=values * ratio)
        supports = srf.supports
        notes += (*srf.notes, *_srf_notes(srf.values, ratio, lr_hsi, hr_msi))
    facts = {**meta, **_meta(notes, observe, srf), "simulated": False}
    observation = Observation(
        lr_hsi=lr_hsi.astype(np.float32),
        hr_msi=hr_msi.astype(np.float32),
        scale=scale,
        name=name,
        supports=supports,
        psf=psf,
        srf=None if srf is None else srf.values,
        wavelengths_nm=wavelengths_nm,
        meta=facts,
    )
    return Case(observation)


def _srf_notes(srf: np.ndarray, ratio: float, lr_hsi: np.ndarray, hr_msi: np.ndarray) -> Iterator[str]:
    """What is to be said of a known SRF: its rescaling, and whether it could have made this HR-MSI at all."""
    if ratio != 1.0:
        yield f"the known SRF relates the files' values; for the normalised images it is multiplied by {ratio:.4g}"
    # Blur and decimation keep the mean, so an SRF that fits gets the MSI's mean right within a few per cent.
    made, found = srf @ lr_hsi.mean(axis=(0, 1), dtype=np.float64), hr_msi.mean(axis=(0, 1), dtype=np.float64)
    factors = np.maximum(made, 1e-12) / np.maximum(found, 1e-12)
    worst = int(np.argmax(np.abs(np.log(factors))))
    if not 0.5 <= factors[worst] <= 2.0:
        yield (
            f"the known SRF makes MSI band {worst} (counted from 0) {factors[worst]:.3g} times as bright as it is: "
            "is it in the units of the two files?"
        )


def crop_to_scale(scene: Scene, scale: int) -> tuple[Scene, Optional[list[int]]]:
    """Crops at the bottom and the right to a multiple of the scale.

    Returns:
        The scene, with a note if it was cropped, and [top, left, height, width], or None if nothing was cut.

    Raises:
        DataError: The scale is larger than the image.
    """
    rows, cols = scene.hr_hsi.shape[:2]
    height, width = crop_size((rows, cols), scale)
    if (height, width) == (rows, cols):
        return scene, None
    note = f"cropped from {rows}x{cols} to {height}x{width} (bottom and right): multiples of the scale {scale}"
    return scene.with_cube(scene.hr_hsi[:height, :width], note), [0, 0, height, width]


def _meta(
    notes: tuple[str, ...], observe: ObserveConfig, srf: Optional[Srf], scene: Optional[Scene] = None
) -> dict[str, Any]:
    """Facts kept with an observation."""
    meta: dict[str, Any] = {"notes": list(notes), "observe": observe.model_dump(mode="json")}
    if srf is not None:
        meta["srf_names"] = list(srf.names)
    if scene is not None:
        meta.update(normalise=scene.normalise, divisor=scene.divisor, source=scene.source)
        if scene.band_order is not None:
            meta["band_order"] = list(scene.band_order)
    return meta

"""Scene -> what the two cameras record: simulation with known physics, and pairs that were made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.noise import add_noise, noise_sigma
from paddle_umsft.cameras.psf import build_psf
from paddle_umsft.cameras.response import Srf
from paddle_umsft.cameras.spatial import SpatialDegradation, whole_lines
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.cameras.srf import build_srf, widths_of
from paddle_umsft.config.data import DEFAULT_SCALE, ObserveConfig
from paddle_umsft.data.checks import (
    check_counted,
    check_cube,
    check_grids,
    check_scale,
    check_srf,
    check_supports,
    crop_size,
)
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Case, Observation, Scene
from paddle_umsft.errors import DataError

# The noise of each image has a stream of its own, numbered so.
HSI_STREAM = 0
MSI_STREAM = 1
# A known SRF that makes a band twice or half as bright as it is has not made it.
BRIGHTNESS_LIMITS = (0.5, 2.0)
# Keeps a dark band's quotient finite.
DARK = 1e-12
# An LR pixel that sees more than this of what the scene does not hold has no data.
LEAST_MASKED = 1e-3


def simulate(
    scene: Scene,
    observe: ObserveConfig,
    seed: int = 0,
) -> Case:
    """Simulate both cameras: LR-HSI = PSF and decimation, HR-MSI = SRF, then noise.

    The scene is cropped at the bottom and the right to a multiple of the scale; the crop is named in the notes.
    With `border: valid` it is cut on all sides to the LR pixels that see nothing but the scene.
    The noise of the two images comes from two streams, so that changing the one leaves the other as it is.

    Args:
        scene: The truth.
        observe: Scale, PSF, border, SRF, noise; `known_psf` and `known_srf` hand them to the method.
        seed: Seed of the noise.

    Returns:
        The observation with the truth, the true PSF and the true SRF beside it. `observation.meta` holds
        `normalise`, `divisor`, `source`, `notes` (list of lines), `simulated`, `crop`, `seed`, `observe` (the
        settings), `srf_names` and the noise in dB and as standard deviation.

    Raises:
        ConfigError: Scale, supports or PSF settings out of range.
        DataError: Scale or PSF larger than the image, SRF that does not fit the scene, unusable PSF or SRF file.
    """
    check_cube(scene.hr_hsi, scene.name)
    scale = DEFAULT_SCALE
    if observe.scale is not None:
        scale = check_scale(observe.scale)
    scene, crop = crop_to_scale(scene, scale)
    psf = build_psf(observe.psf, scale)
    bands = scene.hr_hsi.shape[2]
    srf = build_srf(observe, bands, scene.wavelengths_nm, scene.band_order, widths_of(scene.facts))
    # float64 inside: rounding of the simulation is then below that of the float32 it is stored in.
    truth = scene.hr_hsi.astype(np.float64)
    border = _border(observe.border)
    spatial = SpatialDegradation(psf, scale, border)
    clean_hsi = spatial.forward(truth)  # (h, w, C)
    mask_hsi = _mask_of_lr(scene, spatial)
    if observe.border == "valid":
        scene, crop = crop_to_whole(scene, len(psf), scale)
        clean_hsi = _cut(clean_hsi, crop, scale)
        if mask_hsi is not None:
            mask_hsi = _cut(mask_hsi, crop, scale)
        truth = _cut(truth, crop, 1)
    spectral = SpectralDegradation(srf.values)
    clean_msi = spectral.forward(truth)  # (H, W, M)
    meta: dict[str, Any] = {
        **_settings_facts(scene.notes + srf.notes, observe, srf),
        **_scene_facts(scene),
        "simulated": True,
        "crop": crop,
        "seed": seed,
        "psf_shape": list(psf.shape),
        **_noise_facts("hsi", clean_hsi, observe.snr_hsi_db),
        **_noise_facts("msi", clean_msi, observe.snr_msi_db),
    }
    # What a method is told of the physics.
    known_psf = None
    if observe.known_psf:
        known_psf = psf
    known_srf = None
    if observe.known_srf:
        known_srf = srf.values
    observation = Observation(
        lr_hsi=_record(clean_hsi, observe.snr_hsi_db, seed, HSI_STREAM),
        hr_msi=_record(clean_msi, observe.snr_msi_db, seed, MSI_STREAM),
        scale=scale,
        name=scene.name,
        supports=srf.supports,
        psf=known_psf,
        srf=known_srf,
        wavelengths_nm=scene.wavelengths_nm,
        meta=meta,
        mask_hsi=mask_hsi,
        mask_msi=scene.mask_hsi,
        hsi_facts=_coarser(scene.facts, scale),
        msi_facts=_of_msi(scene.facts),
    )
    return Case(
        observation=observation,
        reference=scene.hr_hsi,
        true_psf=psf,
        true_srf=srf.values,
        mask=scene.mask_hsi,
    )


def _coarser(facts: Optional[FileFacts], scale: int) -> Optional[FileFacts]:
    """Return the facts of the simulated LR-HSI: those of the scene, in larger pixels."""
    if facts is None:
        return None
    return facts.with_ground(facts.ground.coarser(scale))


def _of_msi(facts: Optional[FileFacts]) -> Optional[FileFacts]:
    """Return the facts of the simulated HR-MSI: the scene's place and time."""
    if facts is None:
        return None
    return FileFacts(
        ground=facts.ground,
        units=facts.units,
        acquired=facts.acquired,
    )


def _mask_of_lr(
    scene: Scene,
    operator: SpatialDegradation,
) -> Optional[np.ndarray]:
    """Return the (h, w) LR pixels that see nothing but what the scene holds; None where it holds everything."""
    if scene.mask_hsi is None:
        return None
    hidden = (~scene.mask_hsi).astype(np.float64)
    seen = operator.forward(hidden[..., None])[..., 0]  # (h, w), the share of each LR pixel that is masked
    return np.asarray(seen <= LEAST_MASKED)


def _record(
    clean: np.ndarray,
    snr_db: Optional[float],
    seed: int,
    stream: int,
) -> np.ndarray:
    """Return what a camera stores of an image: float32, with its noise."""
    rng = np.random.RandomState([seed, stream])
    noisy = add_noise(clean, snr_db, rng)
    return noisy.astype(np.float32)


def _noise_facts(
    image: str,
    clean: np.ndarray,
    snr_db: Optional[float],
) -> dict[str, Any]:
    """Return the noise of one image in dB and as standard deviation."""
    sigma = 0.0
    if snr_db is not None:
        sigma = noise_sigma(clean, snr_db)
    return {f"snr_{image}_db": snr_db, f"noise_sigma_{image}": sigma}


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

    Of `observe`, only `scale` (checked against the sizes), `origin`, `supports`, and, where `known_psf` or
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
        made = build_srf(observe, bands, wavelengths_nm, band_order, widths_of(hsi_facts))
        hr_msi = _seen_bands(hr_msi, made, observe.srf)
        check_srf(made.values, bands, f"SRF {observe.srf}", msi_bands=hr_msi.shape[2])
        ratio = _unit_ratio(meta)
        srf = replace(made, values=made.values * ratio)
        known_srf = srf.values
        supports = srf.supports
        notes += srf.notes
        notes += tuple(_srf_notes(known_srf, ratio, lr_hsi, hr_msi))
    facts = {
        **meta,
        **_settings_facts(notes, observe, srf),
        "simulated": False,
    }
    observation = Observation(
        lr_hsi=lr_hsi.astype(np.float32),
        hr_msi=hr_msi.astype(np.float32),
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


def crop_to_scale(scene: Scene, scale: int) -> tuple[Scene, Optional[list[int]]]:
    """Crop at the bottom and the right to a multiple of the scale.

    Returns:
        The scene, with a note if it was cropped, and [top, left, height, width], or None if nothing was cut.

    Raises:
        DataError: The scale is larger than the image.
    """
    rows, columns = scene.hr_hsi.shape[:2]
    height, width = crop_size((rows, columns), scale)
    if (height, width) == (rows, columns):
        return scene, None
    note = f"cropped from {rows}x{columns} to {height}x{width} (bottom and right): multiples of the scale {scale}"
    cropped = scene.cut_to([0, 0, height, width], note)
    return cropped, [0, 0, height, width]


def crop_to_whole(
    scene: Scene,
    psf_size: int,
    scale: int,
) -> tuple[Scene, list[int]]:
    """Cut a scene to the LR pixels whose PSF sees nothing but the scene.

    Args:
        scene: A multiple of the scale in size.
        psf_size: k.
        scale: s.

    Returns:
        The scene, with a note if it was cut, and [top, left, height, width].

    Raises:
        DataError: No LR pixel is whole.
    """
    rows, columns = scene.hr_hsi.shape[:2]
    top, bottom = whole_lines(psf_size, scale, rows // scale)
    left, right = whole_lines(psf_size, scale, columns // scale)
    if top >= bottom or left >= right:
        raise DataError(
            "size of the scene",
            where=scene.name,
            expected=f"more than the {psf_size} HR pixels that a PSF sees",
            got=f"{rows}x{columns}",
            hint="observe.border=reflect, a narrower observe.psf or a larger data.crop",
        )
    lr_crop = (top, left, bottom - top, right - left)
    crop = [length * scale for length in lr_crop]
    if crop == [0, 0, rows, columns]:
        return scene, crop
    row, column, height, width = crop
    note = f"cut from {rows}x{columns} to {height}x{width} at row {row}, column {column}: whole LR pixels only"
    cut = scene.cut_to(crop, note)
    return cut, crop


def _cut(
    image: np.ndarray,
    crop: list[int],
    scale: int,
) -> np.ndarray:
    """Cut an image; `crop` counts HR pixels, of which the image's are `scale` times as large."""
    top, left, height, width = (length // scale for length in crop)
    return image[top : top + height, left : left + width]


def _border(setting: str) -> Border:
    """Return what an operator is to assume beyond the image; where that is real, the image continued comes closest."""
    if setting == "wrap":
        return "wrap"
    return "reflect"


def border_of(observation: Observation) -> Border:
    """Return what lies beyond an observation as far as it was simulated; the other side of it if nothing is known."""
    settings = observation.meta.get("observe", {})
    return _border(settings.get("border", "wrap"))


def _settings_facts(
    notes: tuple[str, ...],
    observe: ObserveConfig,
    srf: Optional[Srf],
) -> dict[str, Any]:
    """Return what is kept of the settings with an observation."""
    facts: dict[str, Any] = {
        "notes": list(notes),
        "observe": observe.model_dump(mode="json"),
    }
    if srf is not None:
        facts["srf_names"] = list(srf.names)
    return facts


def _scene_facts(scene: Scene) -> dict[str, Any]:
    """Return what is kept of a scene with an observation."""
    facts: dict[str, Any] = {
        "normalise": scene.normalise,
        "divisor": scene.divisor,
        "source": scene.source,
    }
    if scene.band_order is not None:
        facts["band_order"] = list(scene.band_order)
    return facts

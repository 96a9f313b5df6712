"""Scene -> what the two cameras record: simulation with known physics."""

from __future__ import annotations

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
    check_cube,
    check_scale,
    crop_size,
)
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.scene import Case, Observation, Scene
from paddle_umsft.errors import DataError

# The noise of each image has a stream of its own, numbered so.
HSI_STREAM = 0
MSI_STREAM = 1
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
        **settings_facts(scene.notes + srf.notes, observe, srf),
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


def settings_facts(
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

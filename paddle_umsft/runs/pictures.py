"""The pictures that a finished scene leaves in its folder, and the page that holds them all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult, Observation
from paddle_umsft.figures import (
    curves,
    error_maps,
    expected_error,
    overview,
    psf_srf,
    residual_per_band,
    sam_maps,
    save_figure,
    spectra,
    stacked,
)
from paddle_umsft.figures.curves import has_curves
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic
from paddle_umsft.runs.facts import band_names
from paddle_umsft.runs.report import scene_report, write_scene_report
from paddle_umsft.runs.writers.product import pair_under

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scene_figures(
    case: Case,
    result: FusionResult,
    bicubic: Optional[np.ndarray] = None,
) -> dict[str, Figure]:
    """Return the figures of one scene by the name of their file.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
        bicubic: (H, W, C) bicubic's cube, to be compared with in the maps.

    Returns:
        `overview`, `spectra`; `error`, `angle`, `error_per_band` where there is a truth; `expected_error`, `psf_srf`
        and `curves`, if the method has them.
    """
    seen = pair_under(result, case.observation)
    figures = {
        "overview": overview(seen, result.fused, case.reference, srf=result.srf),
        "spectra": spectra(
            {result.method: result.fused},
            case.reference,
            wavelengths_nm=seen.wavelengths_nm,
        ),
    }
    if case.reference is not None:
        cubes = {result.method: result.fused}
        if bicubic is not None:
            cubes["bicubic"] = bicubic
        figures["error"] = error_maps(cubes, case.reference)
        figures["angle"] = sam_maps(cubes, case.reference)
        figures["error_per_band"] = residual_per_band(cubes, case.reference, wavelengths_nm=seen.wavelengths_nm)
    if result.trust is not None:
        figures["expected_error"] = expected_error(result.trust, wavelengths_nm=seen.wavelengths_nm)
    if result.psf is not None or result.srf is not None:
        figures["psf_srf"] = _cameras(case, result, seen)
    if has_curves(result.history):
        figures["curves"] = curves(result.history)
    return figures


def _cameras(case: Case, result: FusionResult, seen: Observation) -> Figure:
    """Return the PSF and SRF that were used, the true ones beside them."""
    given = case.observation
    return psf_srf(
        result.psf,
        result.srf,
        scale=seen.scale,
        wavelengths_nm=seen.wavelengths_nm,
        true_psf=case.true_psf,
        true_srf=case.true_srf,
        band_names=band_names(given),
        psf_is_given=given.psf is not None,
        srf_is_given=given.srf is not None,
    )


def write_pictures(
    case: Case,
    result: FusionResult,
    metrics: Mapping[str, Any],
    config: Config,
    folder: Path,
) -> None:
    """Write the scene's PNGs and its report.html.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
        metrics: What metrics.json will hold.
        config: All settings.
        folder: The scene's folder.

    Raises:
        DataError: If something cannot be written.
    """
    # The maps compare with bicubic, unless bicubic is what was run.
    bicubic = None
    if case.reference is not None and result.method != "bicubic":
        bicubic = fuse_bicubic(case.observation).fused
    pictures = {}
    for_phones = {}
    for name, figure in scene_figures(case, result, bicubic).items():
        # Drawn once: the page has the same picture inside, smaller where it has to be.
        (file,) = save_figure(figure, folder / f"{name}.png")
        pictures[name] = file.read_bytes()
        narrow = stacked(figure, pictures[name])
        if narrow is not None:
            for_phones[name] = narrow
    text = scene_report(case, result, metrics, config, pictures, for_phones)
    write_scene_report(folder, text)

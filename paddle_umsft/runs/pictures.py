"""The pictures that a finished scene leaves in its folder, and the page that holds them all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.figures import expected_error, overview, psf_srf, save_figure, spectra
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic
from paddle_umsft.runs.report import scene_report, write_scene_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scene_figures(case: Case, result: FusionResult) -> dict[str, Figure]:
    """Return the figures of one scene by the name of their file.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.

    Returns:
        `overview`, `spectra`, `expected_error`, and `psf_srf` if the method has either.
    """
    seen = case.observation
    figures = {
        "overview": overview(seen, result.fused, case.reference),
        "spectra": spectra(
            {result.method: result.fused},
            case.reference,
            wavelengths_nm=seen.wavelengths_nm,
        ),
    }
    if result.trust is not None:
        figures["expected_error"] = expected_error(result.trust, wavelengths_nm=seen.wavelengths_nm)
    if result.psf is not None or result.srf is not None:
        figures["psf_srf"] = psf_srf(
            result.psf,
            result.srf,
            scale=seen.scale,
            wavelengths_nm=seen.wavelengths_nm,
            true_psf=case.true_psf,
            true_srf=case.true_srf,
        )
    return figures


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
    figures = scene_figures(case, result)
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")
    # The maps compare with bicubic, unless bicubic is what was run.
    bicubic = None
    if case.reference is not None and result.method != "bicubic":
        bicubic = fuse_bicubic(case.observation).fused
    text = scene_report(case, result, metrics, config, figures, bicubic)
    write_scene_report(folder, text)

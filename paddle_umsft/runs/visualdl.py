"""The VisualDL log of a run: curves, pictures, spectra, the learned PSF and SRF, hyper-parameters."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.records import POSITION_KEYS, Record
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.figures import error_maps, psf_srf, rgb_image, sam_maps, spectra
from paddle_umsft.methods.table import find_method
from paddle_umsft.metrics.figures import measure_of
from paddle_umsft.runs.facts import band_names
from paddle_umsft.runs.log_names import panel_name
from paddle_umsft.runs.watching import Callback, SceneRun

RESULT_METRICS = ("PSNR", "SAM")  # what the page of hyper-parameters compares runs by


def open_log(
    folder: Path,
    log: logging.Logger,
    scenes: Sequence[str] = (),
) -> Optional[Any]:
    """Open a fresh VisualDL log of a scene, or say that visualdl is not installed and go on without.

    Args:
        folder: The scene's.
        log: Is told where there is none.
        scenes: Names of all scenes of the run, which the panel should tell this one from.
    """
    # VisualDL shows only the newest log of a folder, so every start gets a folder of its own.
    number = 1
    while (folder / "vdl" / f"{number:03d}").exists():
        number += 1
    place = folder / "vdl" / f"{number:03d}"
    writer = new_writer(place, panel_name(folder, place, scenes))
    if writer is None:
        log.info("visualdl is not installed: no curves are logged (pip install visualdl)")
    return writer


def new_writer(place: Path, name: str) -> Optional[Any]:
    """Return a writer of a fresh log in a folder; None where visualdl is not installed.

    Args:
        place: Folder of the log.
        name: What the panel calls it.
    """
    try:
        from visualdl import LogWriter
    except ImportError:
        return None
    return LogWriter(logdir=str(place), display_name=name)


class VisualDl(Callback):
    """Writes `Train/*` every iteration, `Evaluate/*` where there are metrics, pictures at an interval."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._last_seconds: Optional[float] = None

    def on_record(self, record: Record, run: SceneRun) -> None:
        """Log what one step gave."""
        if run.in_main_stage():
            self._add_step(record, run)
        else:
            self._writer.add_scalar(
                tag=f"WarmUp/{record['stage']}",
                step=record["step"],
                value=record["loss"],
            )
        self._last_seconds = record["seconds"]
        for name, value in run.metrics.items():
            self._writer.add_scalar(
                tag=f"Evaluate/{name}",
                step=record["iteration"],
                value=value,
            )
        if run.is_due(record, run.config.evaluate.images):
            result = run.method.result([])
            add_pictures(self._writer, record["iteration"], run.case, result.fused, result.psf, result.srf)

    def _add_step(self, record: Record, run: SceneRun) -> None:
        """Loss, its terms, rate and pace of one step of the fusion."""
        curves = {"loss": record["loss"], "lr": record["lr"]}
        for name, value in record.items():
            is_term = name not in POSITION_KEYS and name not in run.metrics
            if is_term:
                curves[f"loss_{name}"] = value
        if self._last_seconds is not None and record["seconds"] > self._last_seconds:
            curves["iter_per_s"] = 1.0 / (record["seconds"] - self._last_seconds)
        for name, value in curves.items():
            self._writer.add_scalar(
                tag=f"Train/{name}",
                step=record["iteration"],
                value=value,
            )


def add_finished(
    writer: Any,
    case: Case,
    result: FusionResult,
    metrics: Mapping[str, Any],
    config: Config,
) -> None:
    """Log what is known at a scene's end; of a trained method the rest is there already."""
    if find_method(config.method).trained is None:
        add_history(writer, result.history)
        add_pictures(writer, 0, case, result.fused, result.psf, result.srf)
    seen = case.observation
    add_hparams(
        writer,
        config,
        scene=seen.name,
        scale=seen.ratio,
        bands=str(seen.bands),
        metrics=metrics.get("fused") or {},
    )


def add_history(writer: Any, history: Sequence[Mapping[str, Any]]) -> None:
    """Log the losses of a method that is not watched while it runs, a curve `Train/loss_<stage>` for each stage."""
    for step, record in enumerate(history):
        if np.isfinite(record.get("loss", np.nan)):
            tag = f"Train/loss_{record.get('stage', 'fuse')}"
            writer.add_scalar(
                tag=tag,
                step=int(record.get("iteration", step)),
                value=float(record["loss"]),
            )


def figure_pixels(figure: Any) -> np.ndarray:
    """Render a matplotlib figure to (H, W, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(np.asarray(canvas.buffer_rgba())[:, :, :3])  # (H, W, 4) without its alpha


def add_pictures(
    writer: Any,
    step: int,
    case: Case,
    fused: np.ndarray,
    psf: Optional[np.ndarray],
    srf: Optional[np.ndarray],
) -> None:
    """Log RGB, error and angle map, spectra, PSF and SRF of one moment."""
    seen = case.observation
    wavelengths_nm = seen.wavelengths_nm
    writer.add_image(
        tag="Fused/RGB",
        step=step,
        img=rgb_image(fused, wavelengths_nm),
    )
    figures = {"Fused/spectra": spectra({"fused": fused}, reference=case.reference, wavelengths_nm=wavelengths_nm)}
    if case.reference is not None:
        figures["Fused/error"] = error_maps({"RMSE": fused}, case.reference)
        figures["Fused/angle"] = sam_maps({"SAM": fused}, case.reference)
    # Apart, since VisualDL shows pictures small.
    if psf is not None:
        figures["Degradation/PSF"] = psf_srf(psf, None, scale=seen.scale, true_psf=case.true_psf)
    if srf is not None:
        figures["Degradation/SRF"] = psf_srf(
            None,
            srf,
            scale=seen.scale,
            wavelengths_nm=wavelengths_nm,
            true_srf=case.true_srf,
            band_names=band_names(seen),
        )
    for tag, figure in figures.items():
        writer.add_image(
            tag=tag,
            step=step,
            img=figure_pixels(figure),
        )


def hyper_parameters(
    config: Config,
    *,
    scene: str,
    scale: str,
    bands: str,
) -> dict[str, Union[str, int, float]]:
    """Return the settings that people compare, the same names whatever the method, so that runs stand in one table.

    Args:
        config: All settings.
        scene: Name of the scene.
        scale: Ratio of the resolutions in figures; it need not be whole.
        bands: C; of several scenes there may be several.
    """
    known = []
    if config.observe.known_psf:
        known.append("psf")
    if config.observe.known_srf:
        known.append("srf")
    settings = find_method(config.method).settings(config)
    headline = getattr(settings, "headline", {})
    return {
        "scene": scene,
        "bands": bands,
        "scale": scale,
        "method": config.method,
        "known": "+".join(known) or "blind",
        "seed": config.seed,
        "iterations": headline.get("iterations", 0),
        "lr": headline.get("lr", 0.0),
    }


def add_hparams(
    writer: Any,
    config: Config,
    *,
    scene: str,
    scale: str,
    bands: str,
    metrics: Mapping[str, Any],
) -> None:
    """Log hyper-parameters with the final PSNR and SAM, for VisualDL's page of them; without a truth nothing.

    Args:
        writer: VisualDL's.
        config: All settings.
        scene: Name of the scene.
        scale: Ratio of the resolutions in figures; it need not be whole.
        bands: C; of several scenes there may be several.
        metrics: Figures against the truth, by name.
    """
    known = {name: float(metrics[name]) for name in RESULT_METRICS if metrics.get(name) is not None}
    if not known:
        return
    # The page has columns of results behind all settings, off the screen's edge: as settings they come first.
    first = {name: round(value, measure_of(name).digits) for name, value in known.items()}
    settings = hyper_parameters(config, scene=scene, scale=scale, bands=bands)
    writer.add_hparams(hparams_dict={**first, **settings}, metrics_list=[f"Result/{name}" for name in known])
    for name, value in known.items():
        writer.add_scalar(
            tag=f"Result/{name}",
            step=0,
            value=value,
        )

"""The VisualDL log of a run: curves, pictures, spectra, the learned PSF and SRF, hyper-parameters.

Free of Paddle, so that the solvers that do without it start quickly; what watches UMSFT is in vdl_callback.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case
from paddle_umsft.figures import error_maps, psf_srf, rgb_image, sam_maps, spectra


def open_log(folder: Path, log: logging.Logger) -> Optional[Any]:
    """Open a fresh VisualDL log, or say that visualdl is not installed and go on without."""
    try:
        from visualdl import LogWriter
    except ImportError:
        log.info("visualdl is not installed: no curves are logged (pip install visualdl)")
        return None
    # VisualDL shows only the newest log of a folder, so every start gets a folder of its own.
    number = 1
    while (folder / "vdl" / f"{number:03d}").exists():
        number += 1
    return LogWriter(logdir=str(folder / "vdl" / f"{number:03d}"))


def figure_pixels(figure: Any) -> np.ndarray:
    """Render a matplotlib figure to (H, W, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(np.asarray(canvas.buffer_rgba())[:, :, :3])


def add_history(writer: Any, history: Sequence[Mapping[str, Any]]) -> None:
    """Log the losses of a method that is not watched while it runs, a curve `Train/loss_<stage>` for each stage."""
    for step, record in enumerate(history):
        if np.isfinite(record.get("loss", np.nan)):
            tag = f"Train/loss_{record.get('stage', 'fuse')}"
            writer.add_scalar(tag=tag, step=int(record.get("iteration", step)), value=float(record["loss"]))


def add_pictures(
    writer: Any,
    step: int,
    case: Case,
    fused: np.ndarray,
    psf: Optional[np.ndarray],
    srf: Optional[np.ndarray],
) -> None:
    """Log RGB, error and angle map, spectra, PSF and SRF of one moment."""
    seen, nm = case.observation, case.observation.wavelengths_nm
    writer.add_image(tag="Fused/RGB", step=step, img=rgb_image(fused, nm))
    figures = {"Fused/spectra": spectra({"fused": fused}, reference=case.reference, wavelengths_nm=nm)}
    if case.reference is not None:
        figures["Fused/error"] = error_maps({"RMSE": fused}, case.reference)
        figures["Fused/angle"] = sam_maps({"SAM": fused}, case.reference)
    # Apart, since VisualDL shows pictures small.
    if psf is not None:
        figures["Degradation/PSF"] = psf_srf(psf, None, scale=seen.scale, true_psf=case.true_psf)
    if srf is not None:
        figures["Degradation/SRF"] = psf_srf(None, srf, scale=seen.scale, wavelengths_nm=nm, true_srf=case.true_srf)
    for tag, figure in figures.items():
        writer.add_image(tag=tag, step=step, img=figure_pixels(figure))


def hyper_parameters(config: Config, scale: int) -> dict[str, Union[str, int, float]]:
    """The settings that people compare, the same names whatever the method, so that runs stand in one table."""
    iterations = {"umsft": config.solver.iterations, "subspace": config.subspace.iterations}
    known = [name for name, told in (("psf", config.observe.known_psf), ("srf", config.observe.known_srf)) if told]
    return {
        "method": config.method,
        "scale": scale,
        "known": "+".join(known) or "blind",
        "seed": config.seed,
        "iterations": iterations.get(config.method, 0),
        "lr": config.solver.rate.lr if config.method == "umsft" else 0.0,
    }


def add_hparams(writer: Any, config: Config, scale: int, metrics: dict[str, float]) -> None:
    """Log hyper-parameters with the final PSNR and SAM, for VisualDL's page of them; without a truth nothing."""
    known = {name: metrics[name] for name in ("PSNR", "SAM") if name in metrics}
    if not known:
        return
    settings = hyper_parameters(config, scale)
    writer.add_hparams(hparams_dict=settings, metrics_list=[f"Result/{name}" for name in known])
    for name, value in known.items():
        writer.add_scalar(tag=f"Result/{name}", step=0, value=float(value))

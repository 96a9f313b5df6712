"""The VisualDL log of a run: curves, pictures, spectra, the learned PSF and SRF, hyper-parameters."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.callbacks import Callback, Record, SceneRun
from paddle_umsft.config import Config
from paddle_umsft.data.scene import Case
from paddle_umsft.figures import angle_map, error_map, psf_srf, rgb_image, spectra

METRICS = ("PSNR", "SAM", "ERGAS", "SSIM", "RMSE")


def open_log(folder: Path, log: logging.Logger) -> Optional[Any]:
    """Open a fresh VisualDL log, or say that visualdl is not installed and go on without."""
    try:
        from visualdl import LogWriter
    except ImportError:
        log.info("visualdl is not installed: no curves are logged (pip install visualdl)")
        return None
    # VisualDL shows only the newest log of a folder, so every start gets a folder of its own.
    number = 1 + len(list(folder.glob("vdl/*")))
    return LogWriter(logdir=str(folder / "vdl" / f"{number:03d}"))


def figure_pixels(figure: Any) -> np.ndarray:
    """Render a matplotlib figure to (H, W, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


class VisualDl(Callback):
    """Writes `Train/*` every iteration, `Evaluate/*` where there are metrics, pictures at an interval."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._last_seconds: Optional[float] = None

    def on_record(self, record: Record, run: SceneRun) -> None:
        writer, step = self._writer, record["step"]
        if record["stage"] in ("fuse", "joint"):
            for name in ("loss", "lr", "hsi", "msi", "subspace", "degradation"):
                if name in record:
                    tag = name if name in ("loss", "lr") else f"loss_{name}"
                    writer.add_scalar(tag=f"Train/{tag}", step=record["iteration"], value=record[name])
            if self._last_seconds is not None and record["seconds"] > self._last_seconds:
                pace = 1.0 / (record["seconds"] - self._last_seconds)
                writer.add_scalar(tag="Train/iter_per_s", step=record["iteration"], value=pace)
        else:
            writer.add_scalar(tag=f"WarmUp/{record['stage']}", step=step, value=record["loss"])
        self._last_seconds = record["seconds"]
        for name in METRICS:
            if name in record:
                writer.add_scalar(tag=f"Evaluate/{name}", step=record["iteration"], value=record[name])
        if run.is_due(record, run.config.evaluate.images):
            srf, psf = run.solver.model.spectral.effective_srf(), run.solver.model.spatial.effective_psf()
            add_pictures(writer, record["iteration"], run.case, run.fused(), psf, srf)


def add_pictures(
    writer: Any,
    step: int,
    case: Case,
    fused: np.ndarray,
    psf: Optional[np.ndarray],
    srf: Optional[np.ndarray],
) -> None:
    """Log RGB, error map, spectra, PSF and SRF of one moment."""
    observation = case.observation
    writer.add_image(tag="Fused/RGB", step=step, img=rgb_image(fused, observation.wavelengths_nm))
    if case.reference is not None:
        for name, values in (("error", error_map(case.reference, fused)), ("angle", angle_map(case.reference, fused))):
            top = float(np.nanpercentile(values, 99)) or 1.0
            grey = np.clip(np.nan_to_num(values) / top * 255, 0, 255).astype(np.uint8)
            writer.add_image(tag=f"Fused/{name}", step=step, img=np.repeat(grey[:, :, None], 3, axis=2))
    figure = spectra({"fused": fused}, reference=case.reference, wavelengths_nm=observation.wavelengths_nm)
    writer.add_image(tag="Fused/spectra", step=step, img=figure_pixels(figure))
    if psf is not None or srf is not None:
        figure = psf_srf(
            psf, srf, scale=observation.scale, true_psf=case.true_psf, true_srf=case.true_srf,
            wavelengths_nm=observation.wavelengths_nm,
        )  # fmt: skip
        writer.add_image(tag="Degradation/psf_srf", step=step, img=figure_pixels(figure))


def add_hparams(writer: Any, config: Config, scale: int, metrics: dict[str, float]) -> None:
    """Log the settings that people compare, with the final PSNR and SAM, for VisualDL's hyper-parameter page."""
    known = {name: metrics[name] for name in ("PSNR", "SAM") if name in metrics}
    if not known:
        return
    settings = {"method": config.method, "scale": scale, "seed": config.seed}
    if config.method == "umsft":
        settings.update(iterations=config.solver.iterations, lr=config.solver.rate.lr)
    writer.add_hparams(hparams_dict=settings, metrics_list=[f"Result/{name}" for name in known])
    for name, value in known.items():
        writer.add_scalar(tag=f"Result/{name}", step=0, value=value)

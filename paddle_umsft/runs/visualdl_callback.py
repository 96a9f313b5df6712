"""Logs UMSFT's run to VisualDL while it goes on."""

from __future__ import annotations

from typing import Any, Optional

from paddle_umsft.runs.callbacks import Callback, Record, SceneRun
from paddle_umsft.runs.visualdl import add_pictures

METRICS = ("PSNR", "SAM", "ERGAS", "SSIM", "RMSE")


class VisualDl(Callback):
    """Writes `Train/*` every iteration, `Evaluate/*` where there are metrics, pictures at an interval."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._last_seconds: Optional[float] = None

    def on_record(self, record: Record, run: SceneRun) -> None:
        """Log what one step gave."""
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

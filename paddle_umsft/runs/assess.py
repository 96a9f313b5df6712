"""What is said of a fused scene: its metrics, and the small table that it ends with."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult, Observation
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic
from paddle_umsft.metrics import evaluate
from paddle_umsft.metrics.no_reference import consistency

_SECONDS_DIGITS = 3  # of the fusion's time in metrics.json


def assess(case: Case, result: FusionResult, config: Config) -> dict[str, Any]:
    """Judge a result, and bicubic beside it, as far as there is a truth.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
        config: All settings.

    Returns:
        What metrics.json holds.
    """
    seen = case.observation
    content: dict[str, Any] = {
        "scene": seen.name,
        "method": result.method,
        "convention": config.evaluate.convention,
        "scale": seen.scale,
        "seconds": round(result.seconds, _SECONDS_DIGITS),
        "seed": config.seed,
        "config": config.digest(),
    }
    if case.reference is not None:
        cubes = {"fused": result.fused, "bicubic": fuse_bicubic(seen, None).fused}
        for name, cube in cubes.items():
            content[name] = evaluate(case.reference, cube, scale=seen.scale, convention=config.evaluate.convention)
    agreement = _agreement(seen, result)
    if agreement is not None:
        content["consistency"] = agreement
    content["observation"] = seen.meta
    content["extras"] = _storable(result.extras)
    content["extras"]["notes"] = list(result.notes)
    return content


def _agreement(seen: Observation, result: FusionResult) -> Optional[dict[str, float]]:
    """How far the degraded result is from both images; None without PSF and SRF.

    A method's own degradations may be nonlinear; what is stored as PSF and SRF is what is checked.
    """
    if result.psf is None or result.srf is None:
        return None
    fused = result.fused.astype(np.float64)
    if result.pair is not None:
        # What was undone on purpose is no disagreement.
        seen = result.pair
    degrade = result.degrade
    if degrade is None:
        border = result.extras.get("border", "wrap")
        degrade = SpatialDegradation(result.psf, seen.scale, border).forward
    return consistency(
        seen.lr_hsi,
        seen.hr_msi,
        degraded_hsi=degrade(fused),
        degraded_msi=SpectralDegradation(result.srf).forward(fused),
    )


def _storable(extras: dict[str, Any]) -> dict[str, Any]:
    """What of a method's extras JSON can hold in a line; arrays stay out."""
    plain = (int, float, str, list, tuple, dict)
    return {key: value for key, value in extras.items() if isinstance(value, plain)}


def result_table(metrics: dict[str, Any]) -> list[str]:
    """Set the small table that a scene ends with.

    Args:
        metrics: What `assess` returned.
    """
    rows = _table_rows(metrics)
    if not rows and metrics.get("consistency"):
        agreement = ", ".join(f"{name} {value:.2f}" for name, value in metrics["consistency"].items())
        rows = [f"no truth; consistency with the two images: {agreement}"]
    return [*rows, f"fused in {metrics['seconds']:.1f} s"]


def _table_rows(metrics: dict[str, Any]) -> list[str]:
    """A head, the method's row and bicubic's; nothing without a truth."""
    values_of = {metrics["method"]: metrics.get("fused"), "bicubic": metrics.get("bicubic")}
    judged = {name: values for name, values in values_of.items() if values}
    if not judged:
        return []
    columns = list(next(iter(judged.values())))
    head = f"{metrics['convention'] + ' convention':<20}" + "".join(f"{column:>10}" for column in columns)
    rows = [head]
    for name, values in judged.items():
        cells = "".join(f"{values[column]:>10.4g}" for column in columns)
        rows.append(f"{name:<20}{cells}")
    return rows

"""What is said of a fused scene: its metrics, and the small table that it ends with."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.config.run import Config
from paddle_umsft.data.masks import judged_pixels, without_masked
from paddle_umsft.data.scene import Case, FusionResult, Observation
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic
from paddle_umsft.metrics import evaluate, live_bands
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
        valid = judged_pixels(case)
        cubes = {"fused": result.fused, "bicubic": fuse_bicubic(without_masked(seen), None).fused}
        for name, cube in cubes.items():
            content[name] = evaluate(
                case.reference,
                cube,
                scale=seen.scale,
                convention=config.evaluate.convention,
                valid=valid,
            )
        content.update(_what_is_judged(case.reference, valid))
    agreement = _agreement(seen, result)
    if agreement is not None:
        content["consistency"] = agreement
    content["observation"] = seen.meta
    content["extras"] = _storable(result.extras)
    content["extras"]["notes"] = list(result.notes)
    return content


def _what_is_judged(reference: np.ndarray, valid: Optional[np.ndarray]) -> dict[str, Any]:
    """Of how many bands the means are, which are dead in the truth and left out of PSNR, how many pixels count."""
    live = live_bands(reference, valid)
    content: dict[str, Any] = {
        "bands": len(live),
        "bands_in_mean": int(live.sum()),
        "dead_bands": np.flatnonzero(~live).tolist(),
    }
    if valid is not None:
        content["share_of_valid_pixels"] = float(valid.mean())
    return content


def _agreement(seen: Observation, result: FusionResult) -> Optional[dict[str, float]]:
    """How far the degraded result is from both images; None without PSF and SRF.

    A method's own degradations may be nonlinear; what is stored as PSF and SRF is what is checked.
    """
    if result.psf is None or result.srf is None:
        return None
    fused = result.fused.astype(np.float64)
    # What was undone on purpose is no disagreement, and what is masked can be none.
    seen = result.pair or without_masked(seen)
    degrade = result.degrade
    if degrade is None:
        border = result.extras.get("border", "wrap")
        degrade = SpatialDegradation(result.psf, seen.scale, border).forward
    return consistency(
        seen.lr_hsi,
        seen.hr_msi,
        degraded_hsi=degrade(fused),
        degraded_msi=SpectralDegradation(result.srf).forward(fused),
        mask_hsi=seen.mask_hsi,
        mask_msi=seen.mask_msi,
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
    return [*rows, *_footnotes(metrics), f"fused in {metrics['seconds']:.1f} s"]


def _footnotes(metrics: dict[str, Any]) -> list[str]:
    """Say what the figures leave out."""
    lines = []
    dead = metrics.get("dead_bands", [])
    if dead:
        listed = ", ".join(map(str, dead))
        lines.append(
            f"PSNR is a mean of {metrics['bands_in_mean']} of {metrics['bands']} bands: the truth is constant in "
            f"{listed} (counted from 0)"
        )
    extras = metrics.get("extras", {})
    below = extras.get("share_below_zero", 0.0)
    if below > 0:
        what = "kept as data (output.clip=true cuts them off)"
        if extras.get("clipped"):
            what = "set to zero"
        lines.append(f"{100 * below:.2g} % of the result's values were below zero: {what}")
    share = metrics.get("share_of_valid_pixels")
    if share is not None:
        lines.append(f"over the {100 * share:.3g} % of the pixels that hold data")
    return lines


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

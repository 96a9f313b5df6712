"""What a run says of a result's trust: the verdict first in log and metrics.json, the expected error in a file."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.runs.folder import OUTPUT_HINT, save_array
from paddle_umsft.runs.writers.beside import ERROR, write_beside
from paddle_umsft.runs.writers.product import pair_under
from paddle_umsft.runs.writers.table import FORMATS
from paddle_umsft.trust.reasons import about_truth

VERDICT = "verdict"
# What decides, where there is a truth, whether a result is better than interpolation.
FIGURE = "PSNR"
# Of the seconds in metrics.json.
SECONDS_DIGITS = 3


def weighed_by_truth(result: FusionResult, metrics: dict[str, Any]) -> FusionResult:
    """The result with a verdict that knows of the truth, where there is one.

    Args:
        result: What a method returned, judged.
        metrics: What `assess` returned.
    """
    if result.trust is None or FIGURE not in metrics.get("fused", {}):
        return result
    before = result.trust.verdict
    reason = about_truth(metrics["fused"][FIGURE], metrics["bicubic"][FIGURE])
    if reason is None:
        return result
    verdict = before.but(reason)
    notes = [note for note in result.notes if note != before.line]
    return replace(
        result,
        trust=replace(result.trust, verdict=verdict),
        notes=(verdict.line, *notes),
    )


def with_verdict(metrics: dict[str, Any], result: FusionResult) -> dict[str, Any]:
    """The content of metrics.json, the verdict first; `trust` holds what else there is in numbers.

    Args:
        metrics: What `assess` returned.
        result: What a method returned, judged.
    """
    trust = result.trust
    if trust is None:
        return metrics
    numbers = {
        "expected_rmse_per_band": [float(value) for value in trust.expected.bands],
        "expected_rmse_of_interpolation": trust.expected.interpolated,
        "support_per_band": [int(value) for value in trust.support],
        "seconds": round(trust.seconds, SECONDS_DIGITS),
    }
    metrics["extras"]["notes"] = list(result.notes)
    return {VERDICT: trust.verdict.storable(), **metrics, "trust": numbers}


def log_verdict(result: FusionResult, log: logging.Logger) -> None:
    """The verdict first, louder where it is not good; then what else a user should know."""
    notes = list(result.notes)
    verdict = result.verdict
    if verdict is not None:
        notes.remove(verdict.line)
        level = logging.WARNING
        if verdict.kind == "good":
            level = logging.INFO
        log.log(level, "verdict    %s", verdict.line)
    for note in notes:
        log.warning("note       %s", note)


def save_expected_error(
    folder: Path,
    observation: Observation,
    result: FusionResult,
    format: str,
) -> None:
    """Write expected_error.npy, float32 (H, W, C), in the units of the cube.

    Beside a product for other programs lies the expected error of that, in its units, and its mask.

    Args:
        folder: The scene's.
        observation: What was fused.
        result: What the method returned, judged.
        format: That of the cube, one of `runs.writers.table.FORMATS`.

    Raises:
        DataError: Something cannot be written.
    """
    if result.trust is None:
        return
    save_array(folder / f"{ERROR}.npy", result.trust.expected.cube())
    if FORMATS[format].is_product:
        write_beside(folder, "", result, pair_under(result, observation), format, hint=OUTPUT_HINT)

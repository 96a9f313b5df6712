"""The scenes of a run as rows of a table, and their mean: summary.csv and the page of the run show the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from paddle_umsft.metrics.summary import SceneMean, means_over_scenes

# Of bicubic, which every scene is compared with, these two tell enough.
BICUBIC_FIGURES = ("PSNR", "SAM")
_BICUBIC = "bicubic_"
# What stands in place of a scene's name in the rows over all of them.
MEAN = "mean"
SPREAD = "± std"


def bicubic_column(figure: str) -> str:
    """Return the name of the column that holds a figure of bicubic."""
    return _BICUBIC + figure


def scene_rows(finished: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each finished scene.

    Args:
        finished: Content of metrics.json by the scene's name.

    Returns:
        Rows of scene, method, convention, the figures, bicubic's PSNR and SAM, seconds; what a scene has not is not in
        its row.
    """
    rows = []
    for name, metrics in finished.items():
        figures = metrics.get("fused") or {}
        bicubic = metrics.get("bicubic") or {}
        beside = {bicubic_column(figure): bicubic[figure] for figure in BICUBIC_FIGURES if figure in bicubic}
        row = {
            "scene": name,
            "method": metrics.get("method", ""),
            "convention": metrics.get("convention", ""),
            **figures,
            **beside,
            "seconds": metrics.get("seconds", ""),
        }
        rows.append(row)
    return rows


def mean_row(rows: Sequence[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    """Return the row of means over all scenes; None where several conventions or methods cannot have one.

    Args:
        rows: From `scene_rows`.

    Returns:
        Scene (the word mean), method, convention, and the mean of every figure that all scenes have.
    """
    return _over_scenes(rows, MEAN, lambda found: found.mean)


def spread_row(rows: Sequence[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    """Return the row of standard deviations over all scenes, under the same terms as `mean_row`.

    Args:
        rows: From `scene_rows`.
    """
    return _over_scenes(rows, SPREAD, lambda found: found.std)


def _over_scenes(
    rows: Sequence[Mapping[str, Any]],
    name: str,
    value_of: Callable[[SceneMean], Optional[float]],
) -> Optional[dict[str, Any]]:
    """Return a row over all scenes.

    Args:
        rows: From `scene_rows`.
        name: What stands in place of a scene's name.
        value_of: Takes the row's value out of what is known of a figure over the scenes.
    """
    # Decibels of two conventions have no mean that says anything.
    kinds = {(row["method"], row["convention"]) for row in rows}
    if len(kinds) != 1:
        return None
    ((method, convention),) = kinds
    complete = {}
    for figure, found in means_over_scenes(rows).items():
        # A mean that leaves a scene out would look better or worse than the run was.
        if found.count == len(rows):
            complete[figure] = value_of(found)
    return {
        "scene": name,
        "method": method,
        "convention": convention,
        **complete,
    }

"""Comparisons with a golden file: what every network's check is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from paddle_umsft.parity.fill import every_kth
from paddle_umsft.parity.reference import GoldenCase
from paddle_umsft.parity.tolerances import TOLERANCES, ZERO_NORM, Tolerance

SEAM_SAMPLES, OUTPUT_SAMPLES, GRADIENT_SAMPLES = 1500, 6000, 4


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        group: What kind: "start", "forward", "gradients", "AdamW", "float32" or "names".
        name: What was compared.
        difference: Largest difference found; NaN where nothing can be compared.
        limit: Largest one allowed.
        note: Which tensor it was, or what is wrong.
    """

    group: str
    name: str
    difference: float
    limit: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether it holds; NaN does not."""
        return bool(self.difference <= self.limit)


@dataclass
class Outcome:
    """All comparisons of one case.

    Attributes:
        case: The case.
        rows: The comparisons.
        absent: What the golden files do not say, so that it was not compared.
        seconds: How long it took.
    """

    case: GoldenCase
    rows: list[Row] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether something was compared and every row holds."""
        return bool(self.rows) and all(row.ok for row in self.rows)


def compare_seam(outcome: Outcome, seam: str, found: np.ndarray) -> None:
    """Samples and, over the whole tensor, mean, standard deviation and largest absolute value."""
    scale = float(np.abs(found).max())
    limit = TOLERANCES["seam"]
    wanted = outcome.case.arrays.get(seam)
    stats = section(outcome.case, "stats").get(seam)
    if wanted is None and not isinstance(stats, dict):
        outcome.absent.append(seam)
        return
    row = Row("forward", seam, 0.0, limit.limit)
    if wanted is not None:
        most = OUTPUT_SAMPLES if seam == "output" else SEAM_SAMPLES
        row = compared("forward", seam, every_kth(found, most), wanted.reshape(-1), limit, scale)
    if isinstance(stats, dict):
        have = {"mean": found.mean(), "std": found.std(ddof=1), "absmax": scale}
        differences = [abs(float(have[key]) - stats[key]) / scale for key in have if key in stats]
        note = row.note
        if "shape" in stats and list(stats["shape"]) != list(found.shape):
            note, differences = f"shape {list(found.shape)} instead of {stats['shape']}", [float("nan")]
        row = Row("forward", seam, _largest([row.difference, *differences]), row.limit, note)
    outcome.rows.append(row)


def compare_gradients(outcome: Outcome, found: Mapping[str, Optional[np.ndarray]]) -> None:
    """Norm and samples of every parameter's gradient.

    Args:
        outcome: Where the rows go.
        found: Gradients by published name, in the published layout; None where a parameter has none.
    """
    norms, samples = dict(section(outcome.case, "grad_l2")), section(outcome.case, "grad_samples")
    if outcome.case.figures.get("psf_grad_l2") is not None:
        norms["psf"] = outcome.case.figures["psf_grad_l2"]
    outcome.absent += [
        name
        for name in ("grad_l2", "grad_samples", "params_without_grad", *(["psf_grad_l2"] if "psf" in found else []))
        if name not in outcome.case.figures
    ]
    worst: dict[str, Row] = {}
    for key in {**norms, **samples}:
        for row in _gradient_rows(key, found.get(key), norms.get(key), samples.get(key)):
            before = worst.get(row.name)
            if before is None or not row.difference <= before.difference:  # NaN is the worst of all
                worst[row.name] = row
    outcome.rows += [worst[name] for name in sorted(worst)]
    without = outcome.case.figures.get("params_without_grad")
    have = sorted(key for key, gradient in found.items() if gradient is not None)
    if isinstance(without, list):
        wrong = sorted(set(have) & set(without))
        if norms:
            wrong += sorted(set(norms) ^ set(have) - ({"psf"} - set(norms)))
        note = ", ".join(wrong[:3]) or f"{len(have)} have one, {len(without)} have none"
        outcome.rows.append(Row("gradients", "which parameters have one", float(len(wrong)), 0.0, note))


def _gradient_rows(
    key: str, found: Optional[np.ndarray], norm: Optional[float], samples: Optional[list[float]]
) -> list[Row]:
    if found is None:
        return [Row("gradients", "missing", float("nan"), 0.0, key)]
    own = float(np.sqrt((found**2).sum()))
    wanted = own if norm is None else float(norm)
    if wanted <= ZERO_NORM:
        return [Row("gradients", "zero but for rounding", own, TOLERANCES["zero_gradient"].limit, key)]
    limit = TOLERANCES["gradient"]
    rows = [] if norm is None else [Row("gradients", "norm", abs(own - wanted) / wanted, limit.limit, key)]
    if samples is not None:
        taken = every_kth(found, GRADIENT_SAMPLES)
        row = compared("gradients", "samples", taken, np.asarray(samples, dtype=np.float64).reshape(-1), limit, wanted)
        rows.append(Row(row.group, row.name, row.difference, row.limit, f"{key} {row.note}".strip()))
    return rows


def compare_single(outcome: Outcome, fused: np.ndarray) -> None:
    """The float32 output, (B, C, H, W)."""
    wanted = outcome.case.arrays.get("output")
    if wanted is None:
        return
    found = every_kth(fused, OUTPUT_SAMPLES).astype(np.float64)
    if found.shape != wanted.reshape(-1).shape:
        return  # the seam's own row says so
    strays = section(outcome.case, "float32_vs_float64")
    for name, value in (("max", np.abs(found - wanted).max()), ("mean", np.abs(found - wanted).mean())):
        limit = max(TOLERANCES[f"float32_{name}"].limit, 2.0 * float(strays.get(name, 0.0)))
        note = f"PyTorch's own: {strays[name]:.1e}" if name in strays else ""
        outcome.rows.append(Row("float32", f"output, {name}", float(value), limit, note))


def compare_number(outcome: Outcome, group: str, name: str, found: float, wanted: Any, tolerance: Tolerance) -> None:
    """A single number, by its relative difference."""
    if wanted is None:
        outcome.absent.append(name)
    else:
        difference = abs(found - float(wanted)) / max(abs(float(wanted)), 1e-300)
        outcome.rows.append(Row(group, name, difference, tolerance.limit))


def compared(
    group: str, name: str, found: np.ndarray, wanted: np.ndarray, tolerance: Tolerance, scale: Optional[float] = None
) -> Row:
    """Compare two flat arrays; another length is a difference that no limit allows."""
    if found.shape != wanted.shape:
        note = f"{found.size} values instead of {wanted.size}"
        return Row(group, name, float("nan"), tolerance.limit, note)
    scale = float(np.abs(wanted).max()) if scale is None else scale
    return Row(group, name, float(np.abs(found - wanted).max()) / max(scale, 1e-300), tolerance.limit)


def _largest(values: list[float]) -> float:
    return float(np.max(values))  # NaN wins, unlike with max()


def section(case: GoldenCase, name: str) -> Mapping[str, Any]:
    """An object of the case's json; an empty one where it has none of that name."""
    value = case.figures.get(name)
    return value if isinstance(value, dict) else {}

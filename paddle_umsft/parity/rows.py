"""Comparisons with a golden file: what every network's check is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.parity.fill import every_kth
from paddle_umsft.parity.reference import COMMON_SEAM, GoldenCase
from paddle_umsft.parity.tolerances import TOLERANCES, ZERO_NORM, Tolerance, adamw

# How many values of a tensor the golden files hold at most.
SEAM_SAMPLES = 1500
OUTPUT_SAMPLES = 6000
GRADIENT_SAMPLES = 4
# Float32 may stray as far as PyTorch's own does, times this: two libraries add in different orders.
STRAY_FACTOR = 2.0
LEAST_SCALE = 1e-300  # no division by zero
NOTED = 3  # so many names fit into a row's note


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


def compare_seam(
    outcome: Outcome,
    seam: str,
    found: np.ndarray,
) -> None:
    """Samples and, over the whole tensor, mean, standard deviation and largest absolute value."""
    scale = float(np.abs(found).max())
    tolerance = TOLERANCES["seam"]
    wanted = outcome.case.arrays.get(seam)
    stats = section(outcome.case, "stats").get(seam)
    if wanted is None and not isinstance(stats, dict):
        outcome.absent.append(seam)
        return
    row = Row(
        group="forward",
        name=seam,
        difference=0.0,
        limit=tolerance.limit,
    )
    if wanted is not None:
        most = SEAM_SAMPLES
        if seam == COMMON_SEAM:
            most = OUTPUT_SAMPLES
        row = compared(
            "forward",
            seam,
            found=every_kth(found, most),
            wanted=wanted.reshape(-1),
            tolerance=tolerance,
            scale=scale,
        )
    if isinstance(stats, dict):
        row = _with_statistics(row, found, scale, stats)
    outcome.rows.append(row)


def _with_statistics(
    row: Row,
    found: np.ndarray,
    scale: float,
    stats: Mapping[str, Any],
) -> Row:
    """A seam's row after its whole tensor, too, was compared."""
    if "shape" in stats and list(stats["shape"]) != list(found.shape):
        note = f"shape {list(found.shape)} instead of {stats['shape']}"
        return replace(row, difference=float("nan"), note=note)
    have = {
        "mean": float(found.mean()),
        "std": float(found.std(ddof=1)),
        "absmax": scale,
    }
    differences = [row.difference]
    for key, value in have.items():
        if key in stats:
            difference = abs(value - stats[key])
            differences.append(difference / scale)
    largest = np.max(differences)  # NaN wins, unlike with max()
    return replace(row, difference=float(largest))


def compare_gradients(outcome: Outcome, found: Mapping[str, Optional[np.ndarray]]) -> None:
    """Norm and samples of every parameter's gradient.

    Args:
        outcome: Where the rows go.
        found: Gradients by published name, in the published layout; None where a parameter has none.
    """
    figures = outcome.case.figures
    norms = dict(section(outcome.case, "grad_l2"))
    samples = section(outcome.case, "grad_samples")
    if figures.get("psf_grad_l2") is not None:
        norms["psf"] = figures["psf_grad_l2"]
    expected = ["grad_l2", "grad_samples", "params_without_grad"]
    if "psf" in found:
        expected.append("psf_grad_l2")
    outcome.absent += [name for name in expected if name not in figures]

    # Hundreds of parameters: one row for all norms and one for all samples, that of the worst.
    worst: dict[str, Row] = {}
    for key in {**norms, **samples}:
        for row in _gradient_rows(key, found.get(key), norms.get(key), samples.get(key)):
            before = worst.get(row.name)
            if before is None or not row.difference <= before.difference:  # NaN is the worst of all
                worst[row.name] = row
    outcome.rows += [worst[name] for name in sorted(worst)]
    without = figures.get("params_without_grad")
    if isinstance(without, list):
        have = {key for key, gradient in found.items() if gradient is not None}
        outcome.rows.append(_who_has_a_gradient(have, set(norms), without))


def _who_has_a_gradient(
    have: set[str],
    listed: set[str],
    without: list[str],
) -> Row:
    """Compare who has a gradient here with who has one, and who has none, in the published code."""
    wrong = sorted(have & set(without))
    if listed:
        # The PSF's kernel is outside the published network: older files do not say whether it has one.
        unsaid = {"psf"} - listed
        wrong += sorted(listed ^ (have - unsaid))
    note = ", ".join(wrong[:NOTED])
    if not wrong:
        note = f"{len(have)} have one, {len(without)} have none"
    return Row(
        group="gradients",
        name="which parameters have one",
        difference=float(len(wrong)),
        limit=0.0,
        note=note,
    )


def _gradient_rows(
    key: str,
    found: Optional[np.ndarray],
    norm: Optional[float],
    samples: Optional[list[float]],
) -> list[Row]:
    """Compare one parameter's gradient: its norm and its samples, as far as the file has them."""
    if found is None:
        missing = Row(
            group="gradients",
            name="missing",
            difference=float("nan"),
            limit=0.0,
            note=key,
        )
        return [missing]
    energy = (found**2).sum()
    own = float(np.sqrt(energy))
    wanted = own
    if norm is not None:
        wanted = float(norm)
    if wanted <= ZERO_NORM:  # nothing to be relative to
        zero = Row(
            group="gradients",
            name="zero but for rounding",
            difference=own,
            limit=TOLERANCES["zero_gradient"].limit,
            note=key,
        )
        return [zero]
    tolerance = TOLERANCES["gradient"]
    rows = []
    if norm is not None:
        row = Row(
            group="gradients",
            name="norm",
            difference=abs(own - wanted) / wanted,
            limit=tolerance.limit,
            note=key,
        )
        rows.append(row)
    if samples is not None:
        listed = np.asarray(samples, dtype=np.float64)
        row = compared(
            "gradients",
            "samples",
            found=every_kth(found, GRADIENT_SAMPLES),
            wanted=listed.reshape(-1),
            tolerance=tolerance,
            scale=wanted,
        )
        note = f"{key} {row.note}".strip()
        rows.append(replace(row, note=note))
    return rows


def compare_names(
    outcome: Outcome,
    wrong: Sequence[str],
    right: int,
    others: str,
) -> None:
    """Note how our tensors' published names and shapes stand against the published list.

    Args:
        outcome: Of a case whose file holds the list.
        wrong: Names that differ in shape, or that only one side has.
        right: How many of ours were compared.
        others: What the rest of the list is.
    """
    listed = outcome.case.shapes or {}
    note = ", ".join(wrong[:NOTED])
    if not wrong:
        note = f"{right} of {len(listed)}; the others are {others}"
    row = Row(
        group="names",
        name="state_dict",
        difference=float(len(wrong)),
        limit=0.0,
        note=note,
    )
    outcome.rows.append(row)


def compare_single(outcome: Outcome, fused: np.ndarray) -> None:
    """The float32 output, (B, C, H, W)."""
    wanted = outcome.case.arrays.get(COMMON_SEAM)
    if wanted is None:
        return
    wanted = wanted.reshape(-1)
    found = every_kth(fused, OUTPUT_SAMPLES).astype(np.float64)
    if found.shape != wanted.shape:
        return  # the seam's own row says so
    strays = section(outcome.case, "float32_vs_float64")
    differences = np.abs(found - wanted)
    for name, value in (("max", differences.max()), ("mean", differences.mean())):
        limit = TOLERANCES[f"float32_{name}"].limit
        note = ""
        if name in strays:
            limit = max(limit, STRAY_FACTOR * float(strays[name]))
            note = f"PyTorch's own: {strays[name]:.1e}"
        row = Row(
            group="float32",
            name=f"output, {name}",
            difference=float(value),
            limit=limit,
            note=note,
        )
        outcome.rows.append(row)


def compare_number(
    outcome: Outcome,
    group: str,
    name: str,
    found: float,
    wanted: Any,
    tolerance: Tolerance,
) -> None:
    """A single number, by its relative difference."""
    if wanted is None:
        outcome.absent.append(name)
        return
    published = float(wanted)
    scale = max(abs(published), LEAST_SCALE)
    row = Row(
        group=group,
        name=name,
        difference=abs(found - published) / scale,
        limit=tolerance.limit,
    )
    outcome.rows.append(row)


def adamw_losses(outcome: Outcome) -> list[float]:
    """The published losses of AdamW's steps; noted as absent where the file has none."""
    wanted = outcome.case.figures.get("adamw_losses")
    if isinstance(wanted, list) and wanted:
        return wanted
    outcome.absent.append("adamw_losses")
    return []


def compare_steps(
    outcome: Outcome,
    losses: Sequence[float],
    wanted: Sequence[float],
    steps: int,
) -> None:
    """The loss at each AdamW step.

    Args:
        outcome: Where the rows go.
        losses: Found; the first one is there whether or not it was asked for.
        wanted: The published ones.
        steps: How many to compare at most.
    """
    asked = losses[: max(steps, 0)]
    for step, (loss, published) in enumerate(zip(asked, wanted), start=1):
        compare_number(
            outcome,
            "AdamW",
            f"step {step}",
            found=loss,
            wanted=published,
            tolerance=adamw(step),
        )


def compared(
    group: str,
    name: str,
    found: np.ndarray,
    wanted: np.ndarray,
    tolerance: Tolerance,
    scale: Optional[float] = None,
) -> Row:
    """Compare two flat arrays; another length is a difference that no limit allows."""
    if found.shape != wanted.shape:
        return Row(
            group=group,
            name=name,
            difference=float("nan"),
            limit=tolerance.limit,
            note=f"{found.size} values instead of {wanted.size}",
        )
    if scale is None:
        scale = float(np.abs(wanted).max())
    largest = float(np.abs(found - wanted).max())
    difference = largest / max(scale, LEAST_SCALE)
    return Row(
        group=group,
        name=name,
        difference=difference,
        limit=tolerance.limit,
    )


def section(case: GoldenCase, name: str) -> Mapping[str, Any]:
    """An object of the case's json; an empty one where it has none of that name."""
    value = case.figures.get(name)
    if isinstance(value, dict):
        return value
    return {}

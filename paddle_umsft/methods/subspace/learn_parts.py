"""Learning on parts of a picture: LR pixels for the maps, and a sample of it for the rounds of the solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from paddle_umsft.cameras.row_blocks import spread_blocks
from paddle_umsft.cameras.windows import Window, window_around, window_below
from paddle_umsft.machine.memory import give_back
from paddle_umsft.machine.side_by_side import allowed_threads, side_by_side
from paddle_umsft.methods.subspace.blend import find_blend
from paddle_umsft.methods.subspace.fitting import (
    FittedOn,
    SpectralMap,
    blurred_features,
    linear_coeffs,
    missed_by,
    trust_by_brightness,
)
from paddle_umsft.methods.subspace.ground import Ground, fit_weights
from paddle_umsft.methods.subspace.map_features import Features
from paddle_umsft.methods.subspace.method import held_out_rmse, image_weights, problem_of
from paddle_umsft.methods.subspace.stack import ONE_MAP_HALF_BELIEVED, own_shares, plain_of
from paddle_umsft.methods.subspace.stages import Refinement, Round
from paddle_umsft.methods.subspace.steps import find_steps, follow
from paddle_umsft.methods.subspace.strips import StripSolver, edges_in, window_of
from paddle_umsft.methods.subspace.whole_picture import Statistics, inputs_of_rows

# A block of a sample has so many LR rows at least: fewer have no inner ones, all of whose neighbours are there, too.
LEAST_BLOCK = 12
# HR pixels of a block of rows whose features are seen at a time: a picture that is looked at as a whole is one block.
BLOCK_PIXELS = 2**20


def blocks_of_rows(
    count: int,
    wanted: int,
    longest: int,
    least: int = LEAST_BLOCK,
) -> list[tuple[int, int]]:
    """Half-open ranges of LR rows: all of them, or a sample from evenly spread places.

    Args:
        count: h.
        wanted: How many rows are wanted in all.
        longest: Rows of one range at most.
        least: Rows from one place at least.
    """
    ranges = []
    for first, end in spread_blocks(count, wanted, least):
        for top in range(first, end, longest):
            ranges.append((top, min(top + longest, end)))
    return ranges


class FitSample:
    """The LR pixels that maps are fitted on.

    Args:
        ground: Of the whole picture.
        statistics: Of the whole MSI.
        most: How many at most.

    Attributes:
        fitted: (h, w) these.
        missing: (n, K) float64 what the linear estimate misses at them.
    """

    def __init__(
        self,
        ground: Ground,
        statistics: Statistics,
        most: int,
    ) -> None:
        self.ground = ground
        self.statistics = statistics
        height, width = ground.lr_hsi.shape[:2]
        shape = (ground.hr_msi.shape[0], ground.hr_msi.shape[1])
        longest = max(1, BLOCK_PIXELS // (shape[1] * ground.operator.scale))
        wanted = min(height, most // width)
        self.fitted = np.zeros((height, width), dtype=bool)
        self.windows: list[Window] = []
        missing = []
        for rows in blocks_of_rows(height, wanted, longest):
            window = window_below(ground.operator, shape, rows)
            part = window_of(ground, window, statistics)
            missing.append(missed_by(part, linear_coeffs(part)))
            self.fitted[slice(*rows)] = ground.kept[slice(*rows)]
            self.windows.append(window)
        self.missing = np.concatenate(missing)

    def seen_by(
        self,
        features: list[Features],
        gamma: float,
        surround: Optional[float] = None,
    ) -> FittedOn:
        """What they say of a map.

        Args:
            features: Of its kernels.
            gamma: LR pixels weigh brightness to the power -2 gamma.
            surround: Radius of the neighbourhood that counts as well; None: none does.
        """

        def seen_in(window: Window) -> tuple[np.ndarray, np.ndarray]:
            part = window_of(self.ground, window, self.statistics)
            inputs = inputs_of_rows(self.ground, self.statistics, window.hr_rows, surround)
            here = blurred_features(part, [kernel.on(inputs) for kernel in features])
            return here, trust_by_brightness(part, gamma)

        count = sum(part.count for part in features)
        blurred = np.empty((len(self.missing), count), dtype=np.float32)
        trust = []
        first = 0
        for here, own_trust in side_by_side(seen_in, self.windows, allowed_threads()):
            blurred[first : first + len(here)] = here
            trust.append(own_trust)
            first += len(here)
        return FittedOn(
            missing=self.missing,
            blurred=blurred,
            trust=np.concatenate(trust),
        )


def empty_solver(
    ground: Ground,
    statistics: Statistics,
    maps: list[SpectralMap],
    **more: object,
) -> StripSolver:
    """A solver that knows its maps, and nothing yet of what follows them."""
    bands = ground.lr_hsi.shape[2]
    facts: dict[str, object] = {
        "area": _result_of(ground),
        "surround": None,
        "rounds": [],
        "refinement": None,
        "blend": None,
        "share": np.ones(bands),
        "plain": None,
    }
    return StripSolver(ground=ground, statistics=statistics, maps=maps, **{**facts, **more})  # type: ignore[arg-type]


def _result_of(ground: Ground) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the picture that is the result: all, unless it was laid out as a larger one."""
    layout = ground.prepared.layout
    if layout is None:
        height, width = ground.hr_msi.shape[:2]
        return 0, 0, height, width
    return (*layout.corner, *layout.area[2:])


@dataclass(frozen=True)
class Refining:
    """What rounds of refinement are tried.

    Attributes:
        refinement: Of each.
        rounds: How many at most.
        limit: Root mean square by which one may disturb the LR pixels.
    """

    refinement: Refinement
    rounds: int
    limit: float


def find_rounds(
    solver: StripSolver,
    misfit: np.ndarray,
    most: int,
    refining: Optional[Refining] = None,
) -> tuple[list[bool], list[float]]:
    """Find the solver's rounds on a sample of the picture, whose steps are those of all strips.

    Args:
        solver: Is given them.
        misfit: (n, K) what the maps miss at LR pixels.
        most: HR pixels of the sample at most; a smaller picture is its own.
        refining: See `Refining`; None: there is one round.

    Returns:
        Whether each round of refinement was accepted, and the relative residuals of the last round's steps.
    """
    ground = solver.ground
    windows = _sample_of(solver, most)
    parts = [window_of(ground, window, solver.statistics) for window in windows]
    coeffs = [solver.prior(part, window) for part, window in zip(parts, windows)]
    wanted = 0
    if refining is not None:
        wanted = refining.rounds
    accepted: list[bool] = []
    curve: list[float] = []
    for number in range(wanted + 1):
        if number > 0:
            assert refining is not None
            refined, is_better = _refined(parts, windows, coeffs, refining)
            accepted.append(is_better)
            if not is_better:
                break
            solver.refinement = refining.refinement
            coeffs = refined
            misfit = np.concatenate([_misfit(part, own) for part, own in zip(parts, coeffs)])
        weights = image_weights(ground, misfit)
        problems = []
        for part, window, prior in zip(parts, windows, coeffs):
            edges = edges_in(part, window, solver.settings, solver.statistics)
            problems.append(problem_of(part, prior, solver.settings, weights=weights, edges=edges))
        steps, curve = find_steps(problems, solver.settings.iterations)
        solver.rounds.append(Round(weights, steps))
        if number < wanted:
            coeffs = [follow(problem, steps)[0] for problem in problems]
    return accepted, curve


def _sample_of(solver: StripSolver, most: int) -> list[Window]:
    """Windows of a sample of so many HR pixels at most; one, of all rows, of a picture that has no more."""
    operator = solver.ground.operator
    shape = solver.shape
    height = shape[0] // solver.scale
    if shape[0] * shape[1] <= most:
        # HR rows that no LR row sees belong to the picture, too.
        return [window_around(operator, shape, (0, shape[0]), 0)]
    wanted = most // (shape[1] * solver.scale)
    windows = []
    for rows in blocks_of_rows(height, wanted, height):
        window = window_below(operator, shape, rows)
        if rows == (0, height):
            window = window_around(operator, shape, (0, shape[0]), 0)
        windows.append(window)
    return windows


def _refined(
    parts: list[Ground],
    windows: list[Window],
    coeffs: list[np.ndarray],
    refining: Refining,
) -> tuple[list[np.ndarray], bool]:
    """Refined coefficients of the sample, and whether they disturb the LR pixels no more than they may."""
    refined = []
    moved = []
    for part, window, own in zip(parts, windows, coeffs):
        better = refining.refinement.of(window, part.hr_msi, own)
        refined.append(better)
        moved.append(part.operator.forward(better - own)[part.kept])  # (n, K)
    bands = parts[0].lr_hsi.shape[2]
    is_finite = all(np.all(np.isfinite(better)) for better in refined)
    disturbed = held_out_rmse(np.concatenate(moved), bands)
    return refined, is_finite and not disturbed > refining.limit


def _misfit(part: Ground, coeffs: np.ndarray) -> np.ndarray:
    """(n, K) what coefficients miss at the n LR pixels kept of a window."""
    lr_coeffs = (part.lr_hsi @ part.basis).astype(np.float32)
    return np.asarray((lr_coeffs - part.operator.forward(coeffs))[part.kept])


def find_shares(
    solver: StripSolver,
    trial: Callable[[Ground], np.ndarray],
    half_believed: int = ONE_MAP_HALF_BELIEVED,
) -> np.ndarray:
    """Find how each band is shared with the linear mix and with plain hypersharpening.

    Args:
        solver: Is given both; its map's residuals are known.
        trial: All steps from a ground to a cube, one step coarser.
        half_believed: See `own_shares`.

    Returns:
        (C,) share of plain hypersharpening.
    """
    ground = solver.ground
    if solver.settings.blend:
        solver.blend = find_blend(
            ground.lr_hsi,
            ground.hr_msi,
            ground.operator,
            solver.left_out,
            fit_weights(ground),
            solver.fitted,
            ground.basis,
        )
    if solver.settings.stack:
        solver.share = own_shares(ground, trial, half_believed)
        # The trial's cubes.
        give_back()
    plain_share = 1.0 - solver.share
    if np.any(plain_share):
        solver.plain = plain_of(ground, solver.fitted)
    return np.asarray(plain_share)

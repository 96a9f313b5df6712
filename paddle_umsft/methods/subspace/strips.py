"""One problem solved strip by strip: what is learned of a pair is learned once, what pixels ask for is made row by row.

Learned once, on LR pixels or on a sample of the picture (`learn`): PSF, SRF, subspace, noise, the map's weights, the
lengths of the solver's steps, the shares of blend and plain hypersharpening. A strip of the picture, with a halo of
rows that its footprints reach, then gives the coefficients that the whole picture would (`StripSolver.coeffs`); the
cube follows pixel by pixel (`cube`), once what is left of the LR-HSI is known of all strips (`know_leftover`).

All that is local comes out bit for bit as it does of the whole picture. The solver's steps reach as many footprints far
as there are steps; the halo cuts off what lies beyond a few, which no longer changes anything by 1e-5 of the range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.windows import Window, WindowedDegradation, window_around, window_below
from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.subspace.blend import Blend, find_blend
from paddle_umsft.methods.subspace.ground import Ground, fit_weights, lr_weights
from paddle_umsft.methods.subspace.leftover import signal_of
from paddle_umsft.methods.subspace.map_features import Features, Kernel
from paddle_umsft.methods.subspace.method import (
    SHARE_DIGITS,
    SINGLE_GAMMA,
    FittedOn,
    add_map,
    fit_on,
    held_out_rmse,
    image_weights,
    linear_coeffs,
    problem_of,
    recorder,
    single_map,
    to_fit_on,
)
from paddle_umsft.methods.subspace.outcome import choices_on
from paddle_umsft.methods.subspace.solve import TOLERANCE, edge_weights
from paddle_umsft.methods.subspace.spectral_map import SINGLE_CAUTION
from paddle_umsft.methods.subspace.stack import Plain, mix_with, own_shares, plain_of
from paddle_umsft.methods.subspace.steps import Step, find_steps, follow
from paddle_umsft.methods.subspace.whole_picture import Statistics, lay_large_ground

# Rows of a halo, in windows of the PSF: what lies further off changes a strip by less than 1e-5 of the range.
HALO_WINDOWS = 3
# HR pixels of the sample that the lengths of the solver's steps are found on, at most; smaller pictures whole.
MOST_SOLVED = 2**20
# LR pixels that the map is fitted on, at most: some hundred for each of its weights.
MOST_FITTED = 2**16
# A sample is taken in so many places at most, evenly spread from top to bottom, and in so many LR rows each at least:
# fewer have no inner ones, all of whose neighbours are there, too.
PLACES = 8
LEAST_BLOCK = 12
# The steps of a sample leave a strip's residual this many times as large as they should at most; else it takes its own.
ASTRAY = 10.0
# HR pixels of a block of rows whose features are seen at a time: a picture that is looked at as a whole is one block.
BLOCK_PIXELS = 2**20


@dataclass
class StripSolver:
    """A pair about which everything is known that is known once.

    Attributes:
        ground: See `Ground`; its map inputs are made per window.
        statistics: Of the whole MSI.
        settings: Section `subspace`.
        features: Of the map, for any window.
        weights: (D, K) of the map.
        image_weights: Of the LR-HSI and of the MSI in the solver.
        steps: Of the solver.
        blend: How bands move towards the linear mix; None: they do not.
        share: (C,) of the own result beside plain hypersharpening.
        plain: That; None: it has no share.
        left_out: (n, K) leave-one-out residuals at the fitted LR pixels.
        fitted: (h, w) these.
        extras: What was chosen and found.
        history: What was recorded.
        notes: What a user should know.
        leftover: (h, w, C) float32 what is brought back of the LR-HSI, once it is known.
    """

    ground: Ground
    statistics: Statistics
    settings: SubspaceSettings
    features: Features
    weights: np.ndarray
    image_weights: tuple[float, float]
    steps: list[Step]
    blend: Optional[Blend]
    share: np.ndarray
    plain: Optional[Plain]
    left_out: np.ndarray
    fitted: np.ndarray
    extras: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    leftover: Optional[np.ndarray] = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self.ground.hr_msi.shape[:2]
        return height, width

    @property
    def scale(self) -> int:
        """H / h."""
        return self.ground.operator.scale

    @property
    def rank(self) -> int:
        """K, channels of what a strip leaves."""
        return self.ground.rank

    @property
    def bands(self) -> int:
        """C, channels of the cube."""
        return int(self.ground.lr_hsi.shape[2])

    @property
    def halo(self) -> int:
        """HR rows that a strip needs on either side."""
        return HALO_WINDOWS * (len(self.ground.operator.psf) + self.scale)

    @property
    def floor(self) -> float:
        """Smallest value of the result over `level`."""
        return self.statistics.floor

    def coeffs(self, first: int, end: int) -> np.ndarray:
        """Solve a strip.

        Args:
            first: Its first LR row.
            end: The LR row after its last.

        Returns:
            (rows, W, K) float32 coefficients of its HR rows.
        """
        rows = (first * self.scale, end * self.scale)
        window = window_around(self.ground.operator, self.shape, rows, self.halo)
        part = window_of(self.ground, window, self.statistics)
        prior = self._prior(part)
        edges = edges_in(part, window, self.settings, self.statistics)
        problem = problem_of(part, prior, self.settings, weights=self.image_weights, edges=edges)
        solved, relative = follow(problem, self.steps)
        if not relative < ASTRAY * TOLERANCE:
            # The sample knew nothing of what is here.
            solved, _ = problem.solve(self.settings.iterations)
        # The strip within its window: a border that repeats the picture may have put other rows first.
        top = int(np.flatnonzero(window.hr_rows == rows[0])[0])
        return solved[top : top + rows[1] - rows[0]]

    def _prior(self, part: Ground) -> np.ndarray:
        prior = linear_coeffs(part)
        add_map(prior, [self.features.on(part.inputs)], self.weights)
        return prior

    def _before_leftover(self, coeffs: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(n, W, C) of some HR rows over `level`, without what is left over."""
        cube = coeffs @ self.ground.basis.T.astype(np.float32)
        if self.blend is not None:
            self.blend.apply(cube, self.ground.hr_msi[rows])
        np.maximum(cube, self.floor, out=cube)
        return np.asarray(cube)

    def know_leftover(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        step: int,
    ) -> None:
        """Find what all strips together leave of the LR-HSI.

        Args:
            read: HR rows -> (n, W, K) coefficients of these, whichever strips they come from.
            step: LR rows at a time.
        """
        if not self.settings.leftover:
            return
        operator = self.ground.operator
        leftover = np.empty_like(self.ground.lr_hsi)
        for first in range(0, len(leftover), step):
            end = min(first + step, len(leftover))
            window = window_below(operator, self.shape, (first, end))
            cube = self._before_leftover(read(window.hr_rows), window.hr_rows)
            seen = WindowedDegradation(operator, window).forward(cube)
            leftover[first:end] = self.ground.lr_hsi[first:end] - seen
        signal = signal_of(leftover, lr_weights(self.ground))
        if np.any(signal):
            self.leftover = signal

    def cube(self, coeffs: np.ndarray, first: int, end: int) -> np.ndarray:
        """The result's rows.

        Args:
            coeffs: (n, W, K) of these HR rows.
            first: First HR row.
            end: The HR row after the last.

        Returns:
            (n, W, C) float32 in the units of the input.
        """
        rows = np.arange(first, end)
        operator = self.ground.operator
        cube = self._before_leftover(coeffs, rows)
        if self.leftover is not None:
            cube += operator.enlarge_rows(self.leftover, rows)
            np.maximum(cube, self.floor, out=cube)
        cube *= np.float32(self.ground.level)
        if self.plain is not None:
            other = self.plain.cube(operator, self.ground.hr_msi[rows], rows)
            mix_with(cube, other, self.share, level=self.ground.level, floor=self.floor)
        return cube


def window_of(
    ground: Ground,
    window: Window,
    statistics: Statistics,
) -> Ground:
    """The ground of a window of the picture.

    Args:
        ground: Of the whole picture.
        window: Which rows.
        statistics: Of the whole MSI.
    """
    hr_msi = ground.hr_msi[window.hr_rows]
    prepared = replace(
        ground.prepared,
        use_trust=ground.prepared.use_trust[window.lr_rows],
        msi_trust=ground.prepared.msi_trust[window.hr_rows],
    )
    return replace(
        ground,
        lr_hsi=ground.lr_hsi[window.lr_rows],
        hr_msi=hr_msi,
        operator=WindowedDegradation(ground.operator, window),
        inputs=statistics.inputs_of(hr_msi, window.hr_rows),
        inside=ground.inside[window.lr_rows],
        prepared=prepared,
    )


def edges_in(
    part: Ground,
    window: Window,
    settings: SubspaceSettings,
    statistics: Statistics,
) -> tuple[np.ndarray, np.ndarray]:
    """`edge_weights` of a window; the picture's last row has no next one, wherever it lies in the window."""
    down, across = edge_weights(part.hr_msi, settings.edge, statistics.magnitude)
    down[window.hr_rows == window.shape[0] - 1] = 0.0
    return down, across


def blocks_of_rows(
    count: int,
    wanted: int,
    longest: int,
) -> list[tuple[int, int]]:
    """Half-open ranges of LR rows: all of them, or a sample from evenly spread places.

    Args:
        count: h.
        wanted: How many rows are wanted in all.
        longest: Rows of one range at most.
    """
    places = [(0, count)]
    wanted = max(wanted, LEAST_BLOCK)
    if wanted < count:
        number = min(PLACES, wanted // LEAST_BLOCK)
        each = wanted // number
        firsts = np.linspace(0, count - each, number).astype(int)
        places = [(int(first), int(first) + each) for first in np.unique(firsts)]
    ranges = []
    for first, end in places:
        for top in range(first, end, longest):
            ranges.append((top, min(top + longest, end)))
    return ranges


def learn(
    observation: Observation,
    settings: SubspaceInput,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> StripSolver:
    """Learn everything about a pair that is learned once.

    Args:
        observation: The image pair, on grids that tile each other.
        settings: The sections `subspace` and `preparation`.
        seed: Draws the random features.
        on_record: Called with one dict per stage.

    Raises:
        DataError: The pair cannot be fused, or not by strips.
    """
    record, history = recorder(on_record)
    subspace = settings.subspace
    ground, statistics = lay_large_ground(observation, subspace, settings.preparation)
    record("estimate", loss=ground.degradations.residual, rank=ground.rank)

    features = _features(ground, statistics, subspace, seed)
    fitted, seen = _seen(ground, statistics, features)
    weights, fit, axes = fit_on(seen, SINGLE_CAUTION)
    left_out = fit.left_out @ axes.T
    extras = choices_on(ground)
    extras["held_out_rmse"] = held_out_rmse(left_out, observation.bands) * ground.level
    record("map", loss=extras["held_out_rmse"])

    misfit = (seen.missing - seen.blurred @ weights).astype(np.float32)
    solver = StripSolver(
        ground=ground,
        statistics=statistics,
        settings=subspace,
        features=features,
        weights=weights,
        image_weights=image_weights(ground, misfit),
        steps=[],
        blend=None,
        share=np.ones(observation.bands),
        plain=None,
        left_out=left_out,
        fitted=fitted,
        extras=extras,
        history=history,
    )
    del seen
    solver.steps, curve = _steps(solver)
    record("steps", loss=curve[-1] if curve else 0.0, steps=len(curve))
    if subspace.blend:
        band_left_out = left_out @ ground.basis.T  # (n, C)
        trust = fit_weights(ground)
        solver.blend = find_blend(ground.lr_hsi, ground.hr_msi, ground.operator, band_left_out, trust, fitted)
    plain_share = np.zeros(observation.bands)
    if subspace.stack:
        solver.share = own_shares(ground, single_map(subspace, seed))
        plain_share = 1.0 - solver.share
    if np.any(plain_share):
        solver.plain = plain_of(ground, fitted)
    extras["plain_share"] = plain_share.round(SHARE_DIGITS).tolist()
    record("shares", loss=float(plain_share.mean()))
    return solver


def _features(
    ground: Ground,
    statistics: Statistics,
    settings: SubspaceSettings,
    seed: int,
) -> Features:
    """Features of the map, on the first row for now."""
    first = np.arange(1)
    return Features(
        statistics.inputs_of(ground.hr_msi[first], first),
        Kernel(),
        max(settings.map_features, 1),
        np.random.default_rng(seed),
        statistics.spreads,
    )


def _seen(
    ground: Ground,
    statistics: Statistics,
    features: Features,
) -> tuple[np.ndarray, FittedOn]:
    """LR pixels that the map is fitted on, (h, w), and what they say."""
    height, width = ground.lr_hsi.shape[:2]
    shape = (ground.hr_msi.shape[0], ground.hr_msi.shape[1])
    longest = max(1, BLOCK_PIXELS // (shape[1] * ground.operator.scale))
    wanted = min(height, MOST_FITTED // width)
    fitted = np.zeros((height, width), dtype=bool)
    parts = []
    for rows in blocks_of_rows(height, wanted, longest):
        window = window_below(ground.operator, shape, rows)
        part = window_of(ground, window, statistics)
        parts.append(to_fit_on(part, linear_coeffs(part), [features.on(part.inputs)], SINGLE_GAMMA))
        fitted[slice(*rows)] = ground.kept[slice(*rows)]
    return fitted, FittedOn(
        missing=np.concatenate([part.missing for part in parts]),
        blurred=np.concatenate([part.blurred for part in parts]),
        trust=np.concatenate([part.trust for part in parts]),
    )


def _steps(solver: StripSolver) -> tuple[list[Step], Sequence[float]]:
    """Solve a sample of the picture: its steps are those of all strips."""
    ground = solver.ground
    height = ground.lr_hsi.shape[0]
    shape = solver.shape
    wanted = height
    if shape[0] * shape[1] > MOST_SOLVED:
        wanted = MOST_SOLVED // (shape[1] * solver.scale)
    problems = []
    for rows in blocks_of_rows(height, wanted, height):
        window = window_below(ground.operator, shape, rows)
        if rows == (0, height):
            # HR rows that no LR row sees belong to the picture, too.
            window = window_around(ground.operator, shape, (0, shape[0]), 0)
        part = window_of(ground, window, solver.statistics)
        edges = edges_in(part, window, solver.settings, solver.statistics)
        prior = solver._prior(part)
        problems.append(problem_of(part, prior, solver.settings, weights=solver.image_weights, edges=edges))
    return find_steps(problems, solver.settings.iterations)

"""One problem solved strip by strip: what is learned of a pair is learned once, what pixels ask for is made row by row.

Learned once, on LR pixels or on a sample of the picture (`learn.py`, `learn_ensemble.py`): PSF, SRF, subspace, noise,
the maps' weights, the lengths of the solver's steps, the shares of blend and plain hypersharpening. A strip of the
picture, with a halo of rows that its footprints reach, then gives the coefficients that the whole picture would
(`StripSolver.coeffs`); the cube follows pixel by pixel (`cube`), once what is left of the LR-HSI is known of all strips
(`know_leftover`).

Many maps cost more than all that follows, and need no neighbours: they are a stage of their own, and so is each round
of the solver. A stage takes the rows around a strip from what all strips left of the stage before.

All that is local comes out bit for bit as it does of the whole picture. The solver's steps reach as many footprints far
as there are steps; the halo cuts off what lies beyond a few, which no longer changes anything by 1e-5 of the range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.windows import Window, WindowedDegradation, window_around, window_below
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.machine.environment import default_threads
from paddle_umsft.machine.side_by_side import allowed_threads, side_by_side
from paddle_umsft.methods.subspace.blend import Blend
from paddle_umsft.methods.subspace.fitting import SpectralMap, linear_coeffs
from paddle_umsft.methods.subspace.ground import Ground, lr_weights
from paddle_umsft.methods.subspace.leftover import signal_of
from paddle_umsft.methods.subspace.method import problem_of
from paddle_umsft.methods.subspace.solve import TOLERANCE, edge_weights
from paddle_umsft.methods.subspace.stack import Plain, mix_with, own_places, plain_of
from paddle_umsft.methods.subspace.stages import Refinement, Round
from paddle_umsft.methods.subspace.steps import follow
from paddle_umsft.methods.subspace.whole_picture import Statistics, inputs_of_rows

# Rows of a halo, in windows of the PSF: what lies further off changes a strip by less than 1e-5 of the range.
HALO_WINDOWS = 3
# The steps of a sample leave a strip's residual this many times as large as they should at most; else it takes its own.
ASTRAY = 10.0
# Maps that are made side by side, at most: each holds images of its own.
MAPS_TOGETHER = 2
# Names of the stages that come before the last one.
MAPPED = "map"
ROUND = "round"

# HR rows -> (n, W, K) coefficients of these, whichever strips they come from.
Read = Callable[[np.ndarray], np.ndarray]


@dataclass
class StripSolver:
    """A pair about which everything is known that is known once.

    Attributes:
        ground: See `Ground`; its map inputs are made per window.
        statistics: Of the whole MSI.
        settings: Section `subspace`.
        method: Its name.
        maps: Of which the mean counts.
        surround: Radius of the neighbourhood that the maps look at, HR pixels; None: they do not.
        rounds: Of agreement with both images.
        refinement: What comes before each of them but the first; None: there is but one.
        blend: How bands move towards the linear mix; None: they do not.
        share: (C,) of the own result beside plain hypersharpening.
        plain: That; None: it has no share.
        left_out: (n, K) leave-one-out residuals at the fitted LR pixels.
        fitted: (h, w) these.
        extras: What was chosen and found.
        history: What was recorded.
        notes: What a user should know.
        area: (top, left, height, width) of the picture that is the result: grids that did not tile each other were laid
            out as larger ones.
        leftover: (h, w, C) float32 what is brought back of the LR-HSI, once it is known.
        places: (h, w, 1) how far the own result counts, once it is known; None: alike everywhere.
    """

    ground: Ground
    statistics: Statistics
    settings: SubspaceSettings
    method: str
    maps: list[SpectralMap]
    surround: Optional[float]
    rounds: list[Round]
    refinement: Optional[Refinement]
    blend: Optional[Blend]
    share: np.ndarray
    plain: Optional[Plain]
    left_out: np.ndarray
    fitted: np.ndarray
    area: tuple[int, int, int, int]
    extras: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    leftover: Optional[np.ndarray] = None
    places: Optional[np.ndarray] = None

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
    def stages(self) -> tuple[str, ...]:
        """Names of the stages before the last one, in their order; a single map is made where it is needed."""
        names = [f"{ROUND}_{number}" for number in range(len(self.rounds) - 1)]
        if len(self.maps) > 1:
            names.insert(0, MAPPED)
        return tuple(names)

    @property
    def halo(self) -> int:
        """HR rows that the solver needs on either side of a strip."""
        return HALO_WINDOWS * (len(self.ground.operator.psf) + self.scale)

    @property
    def floor(self) -> float:
        """Smallest value of the result over `level`."""
        return self.statistics.floor

    def coeffs(
        self,
        first: int,
        end: int,
        *,
        stage: int = 0,
        before: Optional[Read] = None,
    ) -> np.ndarray:
        """What a stage makes of a strip.

        Args:
            first: Its first LR row.
            end: The LR row after its last.
            stage: Which one, counted from 0; after those of `stages` comes the last one.
            before: Reads what the stage before has left; None: it is the first one.

        Returns:
            (rows, W, K) float32 coefficients of its HR rows.
        """
        rows = (first * self.scale, end * self.scale)
        number = stage
        if MAPPED in self.stages:
            number = stage - 1
        if number < 0:
            window = window_around(self.ground.operator, self.shape, rows, 0)
            return self.prior(window_of(self.ground, window, self.statistics), window)
        halo = self.halo
        if number > 0:
            assert self.refinement is not None
            halo += self.refinement.reach
        window = window_around(self.ground.operator, self.shape, rows, halo)
        part = window_of(self.ground, window, self.statistics)
        if before is None:
            prior = self.prior(part, window)
        else:
            prior = before(window.hr_rows)
        if number > 0:
            assert self.refinement is not None
            prior = self.refinement.of(window, part.hr_msi, prior)
        solved = self._agreed(part, window, prior, self.rounds[number])
        # The strip within its window: a border that repeats the picture may have put other rows first.
        top = int(np.flatnonzero(window.hr_rows == rows[0])[0])
        return solved[top : top + rows[1] - rows[0]]

    def _agreed(
        self,
        part: Ground,
        window: Window,
        prior: np.ndarray,
        own: Round,
    ) -> np.ndarray:
        """(n, W, K) coefficients of a window that agree with both images."""
        edges = edges_in(part, window, self.settings, self.statistics)
        problem = problem_of(part, prior, self.settings, weights=own.image_weights, edges=edges)
        solved, relative = follow(problem, own.steps)
        if not relative < ASTRAY * TOLERANCE:
            # The sample knew nothing of what is here.
            solved, _ = problem.solve(self.settings.iterations)
        return solved

    def prior(self, part: Ground, window: Window) -> np.ndarray:
        """(n, W, K) coefficients of a window as the mean of the maps has them."""
        prior = linear_coeffs(part)
        inputs = inputs_of_rows(self.ground, self.statistics, window.hr_rows, self.surround)
        if len(self.maps) == 1:
            self.maps[0].add_to(prior, inputs, allowed_threads())
            return prior

        def alone(number: int) -> np.ndarray:
            added = np.zeros_like(prior)
            self.maps[number].add_to(added, inputs)
            return added

        share = np.float32(1.0 / len(self.maps))
        threads = min(MAPS_TOGETHER, default_threads())
        for added in side_by_side(alone, range(len(self.maps)), threads):
            added *= share
            prior += added
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
        read: Read,
        step: int,
    ) -> None:
        """Find what all strips together leave of the LR-HSI.

        Args:
            read: What the last stage has left.
            step: LR rows at a time.
        """
        if not self.settings.leftover:
            return
        operator = self.ground.operator
        leftover = np.empty(self.ground.lr_hsi.shape, dtype=np.float32)
        for first in range(0, len(leftover), step):
            end = min(first + step, len(leftover))
            window = window_below(operator, self.shape, (first, end))
            cube = self._before_leftover(read(window.hr_rows), window.hr_rows)
            seen = WindowedDegradation(operator, window).forward(cube)
            leftover[first:end] = self.ground.lr_hsi[first:end] - seen
        signal, missed = signal_of(leftover, lr_weights(self.ground))
        if np.any(signal):
            self.leftover = signal
        allowed = self.ground.lr_error
        if self.settings.stack and np.any(missed > allowed):
            if self.plain is None:
                self.plain = plain_of(self.ground, self.fitted)
            self.places = own_places(missed, self.plain.missed(operator), allowed)

    def cube(
        self,
        coeffs: np.ndarray,
        first: int,
        end: int,
    ) -> np.ndarray:
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
            places: Optional[np.ndarray] = None
            if self.places is not None:
                places = operator.enlarge_rows(self.places, rows)
            other = self.plain.cube(operator, self.ground.hr_msi[rows], rows)
            mix_with(cube, other, self.share, places, level=self.ground.level, floor=self.floor)
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

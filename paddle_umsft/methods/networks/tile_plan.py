"""Whether a scene is trained tile by tile, and in which tiles: by the setting, else by what memory there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Optional

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.machine.memory import available_bytes, bytes_of, in_words, peak_bytes
from paddle_umsft.methods.networks.tile_grid import Axis, TileGrid

# (H, W, C, M) -> megabytes that training takes at most, float32.
MemoryOf = Callable[[int, int, int, int], float]
MEGABYTE = 2**20
FLOAT = 4  # bytes
# Images of the MSI and of the LR-HSI that are held beside a tile, and of the cube once tiles are blended and judged.
HELD_MSI = 2.5
HELD_LR = 4.0
WHOLE_CUBES = 7
# A tile is to fit for certain: peaks measured on small images are up to 18 % above what is estimated.
MARGIN = 1.2
# Part of a tile's side over which it is blended with its neighbour: an eighth costs a third more pixels than none.
RAMP = 0.125


@dataclass(frozen=True)
class TilePlan:
    """In which tiles a scene is trained.

    Attributes:
        height: h, LR pixels of the scene.
        width: w.
        scale: s.
        rows: LR pixels of a tile, from top to bottom.
        columns: The same across.
        overlap: LR pixels that neighbours share at least.
        guard: LR pixels at a tile's inner ends that count for nothing.
        memory: Bytes that the run may take; 0: nobody knows.
        expected: Bytes that it will take, about.
        whole: Bytes that the scene would take as a whole, about.
        disk: Bytes of the tiles' results.
        by_rows: Whether the cube is too large to be held: then it is written as its rows are blended.
    """

    height: int
    width: int
    scale: int
    rows: int
    columns: int
    overlap: int
    guard: int
    memory: int
    expected: int
    whole: int
    disk: int
    by_rows: bool

    def may_follow(self, before: TilePlan) -> bool:
        """Whether an earlier plan of the same scene fits into the memory there is now, or is the very same."""
        is_same = (before.rows, before.columns) == (self.rows, self.columns)
        return is_same or before.expected <= self.memory

    @property
    def grid(self) -> TileGrid:
        """The tiles."""
        down = Axis(
            length=self.height,
            size=self.rows,
            overlap=self.overlap,
            guard=self.guard,
            scale=self.scale,
        )
        across = Axis(
            length=self.width,
            size=self.columns,
            overlap=self.overlap,
            guard=self.guard,
            scale=self.scale,
        )
        return TileGrid(down, across)

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return self.grid.count

    def lines(self) -> list[str]:
        """Say what will be done."""
        scale = self.scale
        may = "nobody knows how much may be used"
        if self.memory:
            may = f"{in_words(self.memory)} may be used (runtime.memory)"
        return [
            f"plan       {self.height * scale}x{self.width * scale} trained as a whole would take about "
            f"{in_words(self.whole)}, {may}",
            f"plan       {self.count} tiles of {self.rows * scale}x{self.columns * scale} pixels that overlap by "
            f"{self.overlap * scale} or more, about {in_words(self.expected)}; an approximation (docs/scaling.md)",
        ]


def memory_for_training(runtime: RuntimeConfig) -> Optional[int]:
    """Bytes that training may take; None where nobody knows."""
    if runtime.memory != "auto":
        return bytes_of(runtime.memory)
    if runtime.device != "cpu":
        from paddle_umsft.methods.networks.runtime import memory_of_gpu

        of_gpu = memory_of_gpu(runtime.device)
        if of_gpu is not None:
            return of_gpu
    left = available_bytes()
    if left is None:
        return None
    # What the data take by now is this run's own.
    return left + (peak_bytes() or 0)


def reach_of(observation: Observation) -> int:
    """LR pixels that a PSF reaches beyond the one that it belongs to; a learned one reaches one HR pixel."""
    size = observation.scale + 1
    if observation.psf is not None:
        size = observation.psf.shape[0]
    # Half of what is longer than the LR pixel, on either side, and the odd one.
    beyond = max(0, size - observation.scale + 1) // 2
    # One at least, PSF or not: a network sees less at its input's edges.
    return max(1, -(-beyond // observation.scale))


def plan_tiles(
    observation: Observation,
    runtime: RuntimeConfig,
    *,
    smallest: int,
    memory_of: MemoryOf,
) -> Optional[TilePlan]:
    """Decide on tiles.

    Args:
        observation: The pair, on plain grids.
        runtime: Section `runtime`.
        smallest: HR pixels of a side that the method can work on.
        memory_of: What training takes.

    Returns:
        The plan; None: the scene is trained as a whole.

    Raises:
        ConfigError: The tiles asked for are too small for the method.
        DataError: Not even the smallest ones fit into memory.
    """
    if runtime.tile == "none":
        return None
    height, width = observation.shape
    memory = memory_for_training(runtime) or 0
    budget = _Budget(observation, runtime, memory_of)
    if isinstance(runtime.tile, int):
        side = runtime.tile // observation.scale
        least = _least_side(observation, smallest)
        if side < least:
            raise ConfigError(
                "tiles too small for the method and its halo",
                where="runtime.tile",
                expected=f"{least * observation.scale} or more",
                got=runtime.tile,
            )
        if runtime.tile >= max(height, width):
            return None
        return budget.plan(side, memory)
    if not memory or budget.whole <= memory:
        return None
    return _largest(budget, observation, smallest, memory)


def _largest(
    budget: _Budget,
    observation: Observation,
    smallest: int,
    memory: int,
) -> TilePlan:
    """The fewest tiles that fit into memory, no larger than that they cover the scene."""
    side = max(observation.lr_hsi.shape[:2]) - 1
    least = _least_side(observation, smallest)
    while side > least and budget.training(side) > memory:
        side -= 1
    if side < least or budget.training(side) > memory:
        needed = min(budget.training(least), budget.whole)
        height, width = observation.shape
        raise DataError(
            "does not fit into memory, not even tile by tile",
            where=f"{observation.name}: {height}x{width}, {observation.bands} bands",
            expected=f"about {in_words(needed)}",
            got=in_words(memory),
            hint=f"runtime.memory={in_words(1.05 * needed).replace(' ', '')} or more, a smaller data.crop, or "
            "method=subspace (fast.yml)",
        )
    count = budget.plan(side, memory).count
    while side > least and budget.plan(side - 1, memory).count == count:
        side -= 1
    return budget.plan(side, memory)


def _ramp(side: int) -> int:
    """LR pixels over which tiles of that side are blended."""
    return max(1, round(RAMP * side))


def _least_side(observation: Observation, smallest: int) -> int:
    """LR pixels of the smallest tile: large enough for the method, and at least half of it its own."""
    side = -(-smallest // observation.scale)
    while side < 2 * (2 * reach_of(observation) + _ramp(side)):
        side += 1
    return side


class _Budget:
    """What tiles of a scene take.

    Args:
        observation: The pair.
        runtime: Section `runtime`.
        memory_of: What training takes.
    """

    def __init__(
        self,
        observation: Observation,
        runtime: RuntimeConfig,
        memory_of: MemoryOf,
    ) -> None:
        self.observation = observation
        self.memory_of = memory_of
        self.times = 1
        if runtime.dtype == "float64":
            self.times = 2
        height, width = observation.shape
        lr_height, lr_width = observation.lr_hsi.shape[:2]
        self.held = HELD_MSI * FLOAT * observation.msi_bands * height * width
        self.held += HELD_LR * FLOAT * observation.bands * lr_height * lr_width
        # Tiles blended, and judged.
        self.judged = self.held + WHOLE_CUBES * FLOAT * observation.bands * height * width

    @property
    def whole(self) -> int:
        """Bytes of the scene trained as a whole."""
        return self._training(*self.observation.shape)

    def _training(self, height: int, width: int) -> int:
        seen = self.observation
        return int(self.times * MEGABYTE * self.memory_of(height, width, seen.bands, seen.msi_bands))

    def _sides(self, side: int) -> tuple[int, int]:
        """LR rows and columns of tiles of that side: no longer than the scene."""
        height, width = self.observation.lr_hsi.shape[:2]
        return min(side, height), min(side, width)

    def training(self, side: int) -> int:
        """Bytes while a tile of so many LR pixels is trained."""
        rows, columns = self._sides(side)
        scale = self.observation.scale
        return int(self.held + MARGIN * self._training(rows * scale, columns * scale))

    def plan(self, side: int, memory: int) -> TilePlan:
        """The plan in tiles of so many LR pixels."""
        seen = self.observation
        height, width = seen.lr_hsi.shape[:2]
        rows, columns = self._sides(side)
        guard = reach_of(seen)
        expected = self.training(side)
        by_rows = 0 < memory < self.judged
        if not by_rows:
            expected = max(expected, int(self.judged))
        plan = TilePlan(
            height=height,
            width=width,
            scale=seen.scale,
            rows=rows,
            columns=columns,
            overlap=2 * guard + _ramp(side),
            guard=guard,
            memory=memory,
            expected=expected,
            whole=self.whole,
            disk=0,
            by_rows=by_rows,
        )
        pixels = plan.count * rows * columns * seen.scale**2
        if by_rows:
            # The result is written while the tiles are still there.
            pixels += seen.hr_msi.shape[0] * seen.hr_msi.shape[1]
        return replace(plan, disk=FLOAT * seen.bands * pixels)

"""A scene cut into overlapping tiles on the LR grid, and the weights with which their results are blended.

Along either axis tiles are of one length and evenly spread. Where two of them overlap, the one goes out as the other
comes in, along half a cosine; the outermost pixels of a tile, which see what lies beyond it, count for nothing. The
weight of a tile is the product of those along both axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

ALL = slice(None)


@dataclass(frozen=True)
class Tile:
    """A window of a scene in LR pixels, half-open."""

    top: int
    bottom: int
    left: int
    right: int

    def high(self, scale: int) -> tuple[slice, slice]:
        """The window in HR pixels, as slices of rows and columns."""
        rows = slice(
            self.top * scale,
            self.bottom * scale,
        )
        columns = slice(
            self.left * scale,
            self.right * scale,
        )
        return rows, columns

    @property
    def low(self) -> tuple[slice, slice]:
        """The window in LR pixels, as slices of rows and columns."""
        rows = slice(self.top, self.bottom)
        columns = slice(self.left, self.right)
        return rows, columns


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis.

    Attributes:
        length: LR pixels of the scene.
        size: LR pixels of a tile, at most `length`.
        overlap: LR pixels that neighbours share at least, less than `size` unless one tile is all there is.
        guard: LR pixels at a tile's inner ends that count for nothing; twice as many are less than `overlap`.
        scale: HR pixels of an LR pixel.
    """

    length: int
    size: int
    overlap: int
    guard: int
    scale: int

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First LR pixel of each tile."""
        if self.size >= self.length:
            return (0,)
        room = self.length - self.size
        longest = self.size - self.overlap  # from one start to the next
        steps = -(-room // longest)
        # Evenly spread: the last one is not to be a remnant. Rounded down, no two are further apart than they may be.
        starts = []
        for number in range(steps + 1):
            start = number * room // steps
            starts.append(start)
        return tuple(starts)

    @cached_property
    def weights(self) -> tuple[np.ndarray, ...]:
        """Weight of each tile at its own HR pixels, (size * s,) float64; at each pixel of the scene they sum to 1."""
        total = np.zeros(self.length * self.scale)
        raw = []
        for number in range(len(self.starts)):
            weight = self._raw(number)
            total[self._lines(number)] += weight
            raw.append(weight)
        # Of two tiles the sum is 1 as it is; where tiles are short and three of them meet, it is made so.
        weights = []
        for number, weight in enumerate(raw):
            everyone = total[self._lines(number)]
            weights.append(weight / everyone)
        return tuple(weights)

    def _lines(self, number: int) -> slice:
        """HR lines of a tile."""
        first = self.starts[number] * self.scale
        count = self.size * self.scale
        return slice(first, first + count)

    def _raw(self, number: int) -> np.ndarray:
        """Up after the tile before, down before the next one."""
        lines = self._lines(number)
        start = self.starts[number]
        end = start + self.size
        # Pixels are told by their middles, so that both directions are alike.
        centres = np.arange(lines.start, lines.stop) + 0.5
        weight = np.ones(len(centres))
        if number > 0:
            before = self.starts[number - 1]
            weight *= self._rise(centres, start, before + self.size)
        if number + 1 < len(self.starts):
            following = self.starts[number + 1]
            gone = self._rise(centres, following, end)
            weight *= 1.0 - gone
        return weight

    def _rise(self, centres: np.ndarray, start: int, end: int) -> np.ndarray:
        """From 0 to 1 over an overlap without its guards, given by its LR ends."""
        low = (start + self.guard) * self.scale
        high = (end - self.guard) * self.scale
        way = (centres - low) / (high - low)
        way = np.clip(way, 0.0, 1.0)
        half_cosine = np.cos(np.pi * way)
        return np.asarray(0.5 - 0.5 * half_cosine)


@dataclass(frozen=True)
class TileGrid:
    """All tiles of a scene, counted row by row.

    Attributes:
        down: Along the rows of the scene, from top to bottom.
        across: Along its columns.
    """

    down: Axis
    across: Axis

    @property
    def count(self) -> int:
        """How many tiles there are."""
        rows = len(self.down.starts)
        columns = len(self.across.starts)
        return rows * columns

    def place(self, number: int) -> tuple[int, int]:
        """Row and column of a tile among the tiles."""
        return divmod(number, len(self.across.starts))

    def tile(self, number: int) -> Tile:
        """The window of a tile."""
        row, column = self.place(number)
        top = self.down.starts[row]
        left = self.across.starts[column]
        return Tile(
            top=top,
            bottom=top + self.down.size,
            left=left,
            right=left + self.across.size,
        )

    def weight(self, number: int, rows: slice = ALL) -> np.ndarray:
        """Weight of a tile at its HR pixels, float64; over all tiles they sum to 1 at every pixel of the scene.

        Args:
            number: Of the tile.
            rows: Which of its HR rows.
        """
        row, column = self.place(number)
        down = self.down.weights[row][rows]
        across = self.across.weights[column]
        return np.outer(down, across)

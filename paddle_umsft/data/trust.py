"""How far a result is to be trusted: an error to expect at every value, what the MSI sees, and a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Optional

import numpy as np

VerdictClass = Literal["good", "care", "bad"]
# What each class is called in the line that a user reads.
WORDS: dict[VerdictClass, str] = {
    "good": "good",
    "care": "use with care",
    "bad": "do not trust this",
}
# From the best to the worst: the worst reason decides.
ORDER: tuple[VerdictClass, ...] = ("good", "care", "bad")

# Support classes of output bands.
SEEN = 0
BETWEEN = 1
OUTSIDE = 2
# Values of expected errors made at a time: 16 MB of float32.
STRIP_VALUES = 4_000_000
# Dark places are not free of errors: this much of the mean energy of light.
LEAST_LIGHT = 0.05


@dataclass(frozen=True)
class Reason:
    """One thing that a verdict rests on.

    Attributes:
        kind: What it alone would make of the verdict.
        text: The same in words.
    """

    kind: VerdictClass
    text: str


@dataclass(frozen=True)
class Verdict:
    """Whether to trust a result, in one line.

    Attributes:
        reasons: The weightiest first; at least one.
    """

    reasons: tuple[Reason, ...]

    @classmethod
    def of(cls, reasons: list[Reason]) -> Verdict:
        """A verdict with its reasons sorted, the worst first; reasons of one weight stay in their order."""
        ranked = sorted(reasons, key=lambda reason: -ORDER.index(reason.kind))
        return cls(tuple(ranked))

    @property
    def kind(self) -> VerdictClass:
        """The class: that of the worst reason."""
        return self.reasons[0].kind

    @property
    def line(self) -> str:
        """The verdict in one line."""
        told = "; ".join(reason.text for reason in self.reasons)
        return f"{WORDS[self.kind]}: {told}"

    def but(self, reason: Reason) -> Verdict:
        """The verdict with one more reason."""
        return Verdict.of([*self.reasons, reason])

    def storable(self) -> dict[str, Any]:
        """What metrics.json holds: `class`, `line`, `reasons`."""
        reasons = [{"class": reason.kind, "text": reason.text} for reason in self.reasons]
        return {"class": self.kind, "line": self.line, "reasons": reasons}


@dataclass(frozen=True)
class ExpectedError:
    """Expected error of every value of a fused cube, kept as the few factors that it is made of.

    The square of the error at pixel p in band k is the sum of
    `floor[k]^2`, the noise of both images, and errors that are anywhere;
    `hidden[k]^2 * pattern`, detail that the MSI does not tell, `pattern` the product of how fine the detail is that the
    MSI shows around p, `shown[p]`, how hard the LR pixel i over p is, `hard[i, k]`, and the light in p, see `lit`;
    `(unmet[p] @ weights[:, k])^2`, what the MSI shows and the cube does not;
    `coarse[i, k]`, what the LR pixel i shows and the cube does not, and what only the cube shows;
    `doubted[p] * unseen[k]^2 * lit`, where the MSI shows nothing of the scene;
    `(unsure_light[p] * fused[p, k])^2`, where a shadow over one image was undone.

    Attributes:
        fused: (H, W, C) the cube itself, no copy.
        floor: (C,).
        hidden: (C,).
        light: (C,) root mean square of the cube.
        shown: (H, W) factor on squares.
        hard: (h, w, C) factor on squares.
        unmet: (H, W, M).
        weights: (M, C).
        coarse: (h, w, C) squares.
        scale: H / h.
        interpolated: Root mean square of the error to expect of interpolation alone.
        bands: (C,) root mean square of the expected error over the pixels.
        unseen: (C,) error where the MSI shows nothing of the scene.
        doubted: (H, W) how little the MSI's pixels are trusted; None: all are.
        unsure_light: (H, W) part of a pixel's values by which its light is unsure; None: no light was undone.
    """

    fused: np.ndarray
    floor: np.ndarray
    hidden: np.ndarray
    light: np.ndarray
    shown: np.ndarray
    hard: np.ndarray
    unmet: np.ndarray
    weights: np.ndarray
    coarse: np.ndarray
    scale: int
    interpolated: float
    bands: np.ndarray
    unseen: np.ndarray
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None

    def cube(self) -> np.ndarray:
        """(H, W, C) float32 expected errors, in the units of the cube."""
        cube = np.empty(self.fused.shape, dtype=np.float32)
        for top, bottom, squares in self._strips():
            np.sqrt(squares, out=cube[top:bottom])
        return cube

    def places(self) -> np.ndarray:
        """(H, W) float32 root mean square over the bands."""
        places = np.empty(self.fused.shape[:2], dtype=np.float32)
        for top, bottom, squares in self._strips():
            places[top:bottom] = squares.mean(axis=2)
        return np.sqrt(places)

    def _strips(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Squares of a few rows of LR pixels at a time: first row, end, (rows, W, C)."""
        for top, bottom in strips_of(self.fused.shape, self.scale):
            yield top, bottom, self._squares(top, bottom)

    def _squares(self, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, W, C) float32 expected squares."""
        rows = slice(top, bottom)
        lr_rows = slice(top // self.scale, bottom // self.scale)
        squares = lit(self.fused[rows], self.light)  # (rows, W, C)
        unseen: Optional[np.ndarray] = None
        if self.doubted is not None and self.doubted[rows].any():
            unseen = squares * np.square(self.unseen).astype(np.float32)
            unseen *= self.doubted[rows, :, None]
        squares *= self.shown[rows, :, None]
        hard = self.hard[lr_rows] * np.square(self.hidden).astype(np.float32)  # (h, w, C)
        blocks = self._blocks(squares)
        blocks *= hard[:, None, :, None, :]
        blocks += self.coarse[lr_rows, None, :, None, :]
        squares += np.square(self.floor).astype(np.float32)
        met = self.unmet[rows] @ self.weights.astype(np.float32)  # (rows, W, C)
        squares += np.square(met, out=met)
        if unseen is not None:
            squares += unseen
        if self.unsure_light is not None and self.unsure_light[rows].any():
            squares += np.square(self.unsure_light[rows, :, None] * self.fused[rows])
        return squares

    def _blocks(self, image: np.ndarray) -> np.ndarray:
        """(h, s, w, s, C) the LR pixels' blocks of (H, W, C), no copy."""
        height, width, bands = image.shape
        scale = self.scale
        return image.reshape(height // scale, scale, width // scale, scale, bands)


def strips_of(shape: tuple[int, ...], scale: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows, whole LR pixels, that hold no more values than is good for memory.

    Args:
        shape: (H, W, C).
        scale: H / h.
    """
    height, width, bands = shape
    step = scale * max(1, STRIP_VALUES // (scale * width * bands))
    for top in range(0, height, step):
        yield top, min(top + step, height)


def lit(cube: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(rows, W, C) float32 factor on squares of errors: they are larger in light, about 1 where it is as usual.

    Args:
        cube: (rows, W, C) of the fused cube.
        light: (C,) root mean square of the whole cube.
    """
    inverse = 1.0 / np.where(light > 0, light, 1.0)
    factor = cube * inverse.astype(np.float32)
    np.square(factor, out=factor)
    factor += np.float32(LEAST_LIGHT)
    # A fourth root is two square roots, and these are fast.
    np.sqrt(factor, out=factor)
    np.sqrt(factor, out=factor)
    return np.asarray(factor)


@dataclass(frozen=True)
class Trust:
    """How far a result is to be trusted.

    Attributes:
        expected: Expected error of every value.
        support: (C,) uint8, `SEEN`, `BETWEEN` or `OUTSIDE`: whether the MSI sees the band.
        verdict: In one line.
        seconds: What finding out took.
    """

    expected: ExpectedError
    support: np.ndarray
    verdict: Verdict
    seconds: float = 0.0

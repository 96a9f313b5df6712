"""The expected error of a large scene, written row by row beside its cube once that is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.runs.large_rows import CUBE_VALUES, SHARE_OF_ROWS, Output, block_rows, write_blocks
from paddle_umsft.runs.writers.beside import ERROR, with_support
from paddle_umsft.runs.writers.product import Product, make_product
from paddle_umsft.runs.writers.table import FORMATS
from paddle_umsft.trust.error_rows import ErrorRows

# Bytes that a value takes while its error is found, LR rows around it and what is in float64 counted.
BYTES_OF_VALUE = 60
# LR rows at a time at most: the two around them are hardly worth mentioning then.
MOST_ROWS = 32


class ErrorBlocks:
    """The expected error from top to bottom; see `Blocks`.

    Args:
        errors: Makes rows.
        memory: Bytes that the run may take.
    """

    def __init__(self, errors: ErrorRows, memory: int) -> None:
        self.errors = errors
        self.scale = errors.scene.operator.scale
        self.height, self.width = errors.shape
        self.lr_height = len(errors.used)
        self.bands = len(errors.levels.bands)
        self.at_once = max(1, CUBE_VALUES // (self.width * self.bands))
        self.tile = block_rows(memory, self.width * self.bands)
        row = BYTES_OF_VALUE * self.width * self.bands * self.scale  # bytes of an LR row
        self.lr_rows = min(MOST_ROWS, max(1, int(SHARE_OF_ROWS * memory / row)))

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the first row of a block, and (n, W, C) float32 of it."""
        block = self._block(0)
        top = 0
        filled = 0
        for part in self._parts():
            # Blocks are as the file wants them, and end anywhere in an LR pixel.
            while len(part):
                taken = part[: len(block) - filled]
                block[filled : filled + len(taken)] = taken
                filled += len(taken)
                part = part[len(taken) :]
                if filled == len(block):
                    yield top, block
                    top += filled
                    filled = 0
                    block = self._block(top)

    def _parts(self) -> Iterator[np.ndarray]:
        """Yield (n, W, C) of some LR rows' HR rows, one after the other."""
        for first in range(0, self.lr_height, self.lr_rows):
            yield self.errors.of(first, min(first + self.lr_rows, self.lr_height))

    def _block(self, top: int) -> np.ndarray:
        """An empty block from a row on."""
        rows = min(self.tile, self.height - top)
        return np.empty((rows, self.width, self.bands), dtype=np.float32)


def write_errors(
    errors: ErrorRows,
    sample: FusionResult,
    observation: Observation,
    outputs: Sequence[Output],
    valid: Optional[np.ndarray],
    memory: int,
) -> list[Path]:
    """Write the expected error of every value.

    Args:
        errors: Makes rows of it.
        sample: The result on a sample, judged: its bands' support stands in the files.
        observation: The pair, for its facts.
        outputs: What is asked for.
        valid: (H, W), False where the cube means nothing; None: it means something everywhere.
        memory: Bytes that the run may take.

    Returns:
        The files.

    Raises:
        DataError: It cannot be written.
    """
    assert sample.trust is not None
    support = sample.trust.support

    def as_product(seen: Observation, block: np.ndarray, here: Optional[np.ndarray]) -> Product:
        history = f"expected error of {sample.method}"
        return with_support(make_product(block, seen, history, here, is_difference=True), support, seen)

    write_blocks(ErrorBlocks(errors, memory), observation, outputs, valid, as_product)
    return [output.path for output in outputs]


def error_output(folder: Path, prefix: str, format: str, *, is_product: bool = True) -> Output:
    """Return the file of a cube's expected error.

    Args:
        folder: Where it goes.
        prefix: Begins its name, see `write_beside`.
        format: Of the cube.
        is_product: In the HSI's own units, with all facts.
    """
    return Output(folder / f"{prefix}{ERROR}{FORMATS[format].suffix}", format, is_product=is_product)

"""Rows of a large result as they are made, from top to bottom, and the files that they go to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Protocol

import numpy as np

from paddle_umsft.data.facts import BandFacts
from paddle_umsft.data.scene import Observation
from paddle_umsft.machine.files import write_text, write_whole
from paddle_umsft.runs.folder import OUTPUT_HINT
from paddle_umsft.runs.overview import Overview
from paddle_umsft.runs.strip_plan import FLOAT
from paddle_umsft.runs.writers.by_rows import FORMATS_BY_ROWS, WriteRows, header_beside
from paddle_umsft.runs.writers.product import Product, make_product, with_no_data

# Rows of a GeoTIFF's tile, the largest that fits: of all bands so many rows are held until they are written.
TILE_ROWS = (256, 128, 64, 32, 16)
# Part of the memory that these rows may take.
SHARE_OF_ROWS = 0.125
# Values of the cube that are made at a time: 4 MB of float32, which a cache holds.
CUBE_VALUES = 2**20


@dataclass(frozen=True)
class Output:
    """A file that is asked for.

    Attributes:
        path: Where it ends up; of ENVI, the header.
        format: One of `FORMATS_BY_ROWS`.
        is_product: In the HSI's own units, with all facts.
    """

    path: Path
    format: str
    is_product: bool


def block_rows(memory: int, values: int) -> int:
    """Return how many rows of a file are held until they are written.

    Args:
        memory: Bytes that the run may take.
        values: Of a row.
    """
    most = SHARE_OF_ROWS * memory / (FLOAT * values)
    fitting = [rows for rows in TILE_ROWS if rows <= most]
    return max(fitting, default=TILE_ROWS[-1])


class Rows:
    """Rows of the result, from top to bottom.

    Args:
        solver: Makes them: `area` of its picture that is the result, `bands`, `cube(coefficients, top, bottom)`.
        read: HR rows -> their coefficients.
        memory: Bytes that the run may take.
        overview: Is shown every row.
        clip: Whether values below zero are cut off.
    """

    def __init__(
        self,
        solver: Any,
        read: Callable[[np.ndarray], np.ndarray],
        memory: int,
        overview: Overview,
        *,
        clip: bool,
    ) -> None:
        self.solver = solver
        self.overview = overview
        self.read = read
        self.clip = clip
        self.below_zero = 0
        self.first, self.left, self.height, self.width = solver.area
        self.bands = solver.bands
        self.at_once = max(1, CUBE_VALUES // (self.width * solver.bands))
        self.tile = block_rows(memory, self.width * solver.bands)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the first row of a block, and (n, W, C) float32 of it."""
        for top in range(0, self.height, self.tile):
            bottom = min(top + self.tile, self.height)
            block = np.empty((bottom - top, self.width, self.solver.bands), dtype=np.float32)
            for first in range(top, bottom, self.at_once):
                end = min(first + self.at_once, bottom)
                begin, stop = self.first + first, self.first + end  # on the solver's picture
                coeffs = self.read(np.arange(begin, stop))
                cube = self.solver.cube(coeffs, begin, stop)
                block[first - top : end - top] = cube[:, self.left : self.left + self.width]
            self.below_zero += int(np.count_nonzero(block < 0))
            if self.clip:
                np.maximum(block, 0, out=block)
            self.overview.add(top, block)
            yield top, block


# (n, W, C) of a block, and (n, W) where it means something or None -> the block in the units of the file.
AsProduct = Callable[[np.ndarray, Optional[np.ndarray]], Product]


class Blocks(Protocol):
    """What can be written from top to bottom: a cube, or as large a one beside it.

    Attributes:
        height: Rows of all.
        width: Columns.
        bands: Channels.
        tile: Rows of a block.
        at_once: Rows of a block that are brought to the units of the file at a time.
    """

    height: int
    width: int
    bands: int
    tile: int
    at_once: int

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the first row of a block, and (n, W, C) float32 of it."""


def _in_units(
    block: np.ndarray,
    as_product: AsProduct,
    valid: Optional[np.ndarray],
    at_once: int,
) -> np.ndarray:
    """Rows of the cube in the units and type of the file, a few at a time: on the way they are float64.

    Args:
        block: (n, W, C).
        as_product: Brings them there.
        valid: (n, W), or None.
        at_once: Rows at a time.
    """
    parts = []
    for top in range(0, len(block), at_once):
        some = slice(top, top + at_once)
        here: Optional[np.ndarray] = None
        if valid is not None:
            here = valid[some]
        parts.append(as_product(block[some], here).values)
    return np.concatenate(parts)


def write_rows(
    rows: Rows,
    observation: Observation,
    outputs: Sequence[Output],
    valid: Optional[np.ndarray],
    history: str,
) -> None:
    """Write all files of a result at one go, each whole or not at all.

    Args:
        rows: The result.
        observation: The pair, for its facts.
        outputs: What is asked for.
        valid: (H, W), False where the cube means nothing; None: it means something everywhere.
        history: How the result was made.
    """

    def as_product(seen: Observation, block: np.ndarray, here: Optional[np.ndarray]) -> Product:
        return make_product(block, seen, history, here)

    write_blocks(rows, observation, outputs, valid, as_product)


def write_blocks(
    rows: Blocks,
    observation: Observation,
    outputs: Sequence[Output],
    valid: Optional[np.ndarray],
    as_product_of: Callable[[Observation, np.ndarray, Optional[np.ndarray]], Product],
) -> None:
    """Write anything as large as a result, as `write_rows` does.

    Args:
        rows: What is written.
        observation: The pair, for its facts.
        outputs: What is asked for.
        valid: (H, W), False where it means nothing; None: it means something everywhere.
        as_product_of: Brings a block, with where it is valid, to the units of the file that the pair tells.
    """
    bands = rows.bands
    if valid is not None and not valid.all():
        observation = with_no_data(observation)
    bare = Product(
        values=np.zeros((1, 1, bands), dtype=np.float32),
        bands=BandFacts(count=bands, wavelengths_nm=observation.wavelengths_nm),
    )
    as_product = partial(as_product_of, observation)
    full = as_product(bare.values, None)
    products = []
    for output in outputs:
        product = bare
        if output.is_product:
            product = full
        # As large as the result, and no larger in memory than one value.
        stands_for_all = np.zeros((), dtype=product.values.dtype)
        shape = (rows.height, rows.width, product.values.shape[2])
        products.append(replace(product, values=np.broadcast_to(stands_for_all, shape)))

    def write_into(writers: list[WriteRows]) -> None:
        for top, block in rows:
            here: Optional[np.ndarray] = None
            if valid is not None:
                here = valid[top : top + len(block)]
            made: Optional[np.ndarray] = None
            for output, write in zip(outputs, writers):
                if not output.is_product:
                    write(block)
                    continue
                if made is None:
                    made = _in_units(block, as_product, here, rows.at_once)
                write(made)

    def write_from(place: int, temporaries: list[Path]) -> None:
        if place < len(outputs):
            path = outputs[place].path
            if outputs[place].format == "envi":
                path = path.with_suffix(".img")
            write_whole(path, lambda name: write_from(place + 1, [*temporaries, name]), hint=OUTPUT_HINT)
            return
        with ExitStack() as stack:
            writers = []
            for output, product, temporary in zip(outputs, products, temporaries):
                writers.append(stack.enter_context(FORMATS_BY_ROWS[output.format](temporary, product, rows.tile)))
            write_into(writers)

    write_from(0, [])
    for output, product in zip(outputs, products):
        if output.format == "envi":
            path, text = header_beside(output.path, product)
            write_text(path, text, hint=OUTPUT_HINT)

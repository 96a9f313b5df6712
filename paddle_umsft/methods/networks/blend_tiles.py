"""Results of tiles blended to rows of the scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paddle_umsft.methods.networks.tile_grid import TileGrid

# Number of a tile -> (rows * s, columns * s, C), possibly a file that is read where it is looked at.
ReadTile = Callable[[int], np.ndarray]
# Rows are blended so many values at a time, in float64: 32 MB.
VALUES_AT_ONCE = 2**22


def blended_rows(
    grid: TileGrid,
    read: ReadTile,
    top: int,
    bottom: int,
) -> np.ndarray:
    """Blend some HR rows. The order of the sum is that of the tiles, whoever has solved them: the bits are the same.

    Args:
        grid: The tiles.
        read: Result of a tile.
        top: First HR row.
        bottom: The one after the last.

    Returns:
        (bottom - top, W, C) float32.
    """
    scale = grid.down.scale
    width = grid.across.length * scale
    bands = read(0).shape[2]
    total = np.zeros((bottom - top, width, bands))
    for number in range(grid.count):
        rows, columns = grid.tile(number).high(scale)
        first = max(top, rows.start)
        end = min(bottom, rows.stop)
        if first >= end:
            continue
        # The same rows, counted from the tile's first one and from the first that is wanted.
        of_tile = slice(first - rows.start, end - rows.start)
        wanted = slice(first - top, end - top)
        cube = read(number)[of_tile]
        weight = grid.weight(number, of_tile)
        part = weight[:, :, None] * cube.astype(np.float64)
        total[wanted, columns] += part
    return total.astype(np.float32)


def blended_whole(
    grid: TileGrid,
    read: ReadTile,
) -> np.ndarray:
    """Blend all of a scene, a few rows at a time: (H, W, C) float32."""
    scale = grid.down.scale
    height = grid.down.length * scale
    width = grid.across.length * scale
    bands = read(0).shape[2]
    at_once = max(1, VALUES_AT_ONCE // (width * bands))
    fused = np.empty((height, width, bands), dtype=np.float32)
    for top in range(0, height, at_once):
        bottom = min(top + at_once, height)
        fused[top:bottom] = blended_rows(grid, read, top, bottom)
    return fused

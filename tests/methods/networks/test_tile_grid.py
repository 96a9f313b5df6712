"""Tiles of a scene: they cover it, lie on the LR grid, overlap as they must, and their weights sum to 1."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.methods.networks.blend_tiles import blended_rows, blended_whole
from paddle_umsft.methods.networks.tile_grid import Axis, TileGrid
from paddle_umsft.methods.networks.tile_plan import TilePlan, plan_tiles


def grid(
    height: int,
    width: int,
    rows: int,
    columns: int,
    *,
    overlap: int,
    guard: int,
    scale: int,
) -> TileGrid:
    shared = {"overlap": overlap, "guard": guard, "scale": scale}
    return TileGrid(Axis(height, rows, **shared), Axis(width, columns, **shared))


GRIDS = [
    grid(64, 40, 16, 16, overlap=4, guard=1, scale=8),
    grid(17, 23, 9, 8, overlap=5, guard=2, scale=3),
    # So short that three of them meet.
    grid(13, 50, 5, 20, overlap=4, guard=1, scale=4),
    # As wide as the scene.
    grid(30, 12, 12, 12, overlap=3, guard=1, scale=32),
    grid(7, 9, 7, 9, overlap=3, guard=1, scale=4),
]


@pytest.mark.parametrize("tiles", GRIDS)
def test_weights_sum_to_one_and_are_nothing_at_inner_edges(tiles: TileGrid) -> None:
    scale = tiles.down.scale
    total = np.zeros((tiles.down.length * scale, tiles.across.length * scale))
    for number in range(tiles.count):
        tile = tiles.tile(number)
        weight = tiles.weight(number)
        assert (weight >= 0).all()
        total[tile.high(scale)] += weight
        guard = tiles.down.guard * scale
        if tile.top > 0:
            assert np.all(weight[:guard] == 0)
        if tile.bottom < tiles.down.length:
            assert np.all(weight[-guard:] == 0)
        if tile.left > 0:
            assert np.all(weight[:, :guard] == 0)
    assert np.abs(total - 1).max() < 1e-12
    for axis in (tiles.down, tiles.across):
        assert axis.starts[0] == 0
        assert axis.starts[-1] + axis.size == axis.length
        shared = axis.size - np.diff(axis.starts)
        assert (shared >= axis.overlap).all()


@pytest.mark.parametrize("tiles", GRIDS[:3])
def test_weights_are_smooth(tiles: TileGrid) -> None:
    # No step is larger than that of half a cosine over the narrowest place where two tiles meet.
    for axis in (tiles.down, tiles.across):
        ramp = (axis.overlap - 2 * axis.guard) * axis.scale
        for weight in axis.weights:
            assert np.abs(np.diff(weight)).max() < 2 * np.pi / 2 / ramp


def test_a_cube_cut_into_tiles_is_blended_to_itself() -> None:
    tiles = GRIDS[1]
    rng = np.random.default_rng(1)
    cube = rng.random((51, 69, 5)).astype(np.float32)
    pieces = [cube[tiles.tile(number).high(3)] for number in range(tiles.count)]
    again = blended_whole(tiles, pieces.__getitem__)
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, cube, rtol=1e-6)
    # Whatever rows are asked for, the bits are the same.
    assert np.array_equal(blended_rows(tiles, pieces.__getitem__, 10, 33), again[10:33])


def pair(height: int, width: int, scale: int, psf_size: int = 0) -> Observation:
    psf = None
    if psf_size:
        psf = np.full((psf_size, psf_size), psf_size**-2.0)
    return Observation(
        lr_hsi=np.zeros((height // scale, width // scale, 31), dtype=np.float32),
        hr_msi=np.zeros((height, width, 3), dtype=np.float32),
        scale=scale,
        psf=psf,
    )


def plan(observation: Observation, **runtime: object) -> TilePlan | None:
    return plan_tiles(
        observation,
        RuntimeConfig(device="cpu", **runtime),
        smallest=128,
        # 20 kB a pixel.
        memory_of=lambda height, width, bands, msi_bands: 100 + height * width * 0.02,
    )


def test_the_halo_covers_the_psf() -> None:
    for size in (8, 9, 24, 25, 41):
        observation = pair(512, 640, 8, size)
        tiles = plan(observation, tile=256)
        assert tiles is not None
        reach = (size - 8 + 1) // 2
        assert tiles.guard * 8 >= reach
        assert tiles.overlap > 2 * tiles.guard


def test_tiles_follow_from_memory_and_from_the_setting() -> None:
    observation = pair(512, 640, 8)
    assert plan(observation, memory="8GB") is None
    assert plan(observation, memory="1GB", tile="none") is None
    asked = plan(observation, memory="8GB", tile=200)
    assert asked is not None
    assert asked.rows == asked.columns == 25
    chosen = plan(observation, memory="2GB")
    assert chosen is not None
    assert chosen.expected <= 2 * 2**30
    # Fewer would be too large: two across are 41 LR pixels wide at least, and no larger ones are taken than three need.
    assert 1.2 * 0.02 * 2**20 * (8 * 41) ** 2 > 2 * 2**30
    assert chosen.count == 2 * 3
    smaller = plan(observation, tile=8 * (chosen.rows - 1))
    assert smaller is not None
    assert smaller.count > 6
    assert "6 tiles of" in chosen.lines()[1]
    assert plan(pair(128, 136, 8), tile=256, memory="8GB") is None


def test_what_cannot_be_is_refused_with_a_way_out() -> None:
    observation = pair(512, 640, 8)
    with pytest.raises(DataError, match=r"runtime\.memory="):
        plan(observation, memory="300MB")
    with pytest.raises(ConfigError, match="128 or more"):
        plan(observation, tile=64)


@pytest.mark.parametrize("tile", [0, -3, "all"])
def test_a_tile_is_a_side_or_a_word(tile: object) -> None:
    with pytest.raises(ValueError):
        RuntimeConfig(tile=tile)

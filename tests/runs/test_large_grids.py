"""Scenes by strips whose grids do not lie on each other: they come out as the whole does, files, facts and errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_up_pairs import made_pair
from scipy.ndimage import gaussian_filter, map_coordinates
from train_calls import train

from paddle_umsft.config.load import load_config
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import DataError
from paddle_umsft.runs import large_errors, row_plan, strip_plan

# As if the program itself took nothing: what a small scene takes then decides.
SMALL = ["runtime.memory=16MB", "data.normalise=none", "output.figures=false", "output.visualdl=false"]
# The same, fused as a whole.
WHOLE = "runtime.memory=8GB"

# Small enough that what is asked is how strips fit together.
FEW = ["method=ensemble", "ensemble.members=2", "ensemble.features=160", "subspace.map_features=16"]


@pytest.fixture(autouse=True)
def _small_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    for plan in (strip_plan, row_plan):
        monkeypatch.setattr(plan, "PROGRAM", 0)
    # The expected error of three LR rows at a time.
    monkeypatch.setattr(large_errors, "MOST_ROWS", 3)
    # Strips of four LR rows, and memory enough to judge all of them.
    monkeypatch.setattr(strip_plan, "MOST_PIXELS", 4 * 4 * 112)
    monkeypatch.setattr(strip_plan, "WHOLE_BESIDE", 600)


def run(folder: Path, *settings: str) -> Path:
    """Fuse the pair of a folder; the scene's folder."""
    assert train("-c", "fast.yml", "--output", str(folder), "-o", *SMALL, "output.name=run", *settings) == 0
    return folder / "run" / "lr"


def laid_askew(folder: Path, origin: tuple[float, float]) -> list[str]:
    """GeoTIFFs of an HSI whose pixels are 10/3 of the MSI's, from (row, column) `origin` of it on, 30 m at 9 m."""
    rasterio = pytest.importorskip("rasterio")
    ratio, fine, margin, bands = 10 / 3, 3, 60, 8
    shape, lr_shape = (84, 72), (21, 18)
    scene = dead_leaves_scene(fine * shape[0] + 2 * margin, fine * shape[1] + 2 * margin, bands, 5).hr_hsi
    part = scene[margin:-margin, margin:-margin].astype(np.float64)
    truth = part.reshape(shape[0], fine, shape[1], fine, bands).mean(axis=(1, 3))
    soft = gaussian_filter(scene.astype(np.float64), (0.4 * ratio * fine, 0.4 * ratio * fine, 0))
    places = np.mgrid[: lr_shape[0], : lr_shape[1]] + 0.5
    places = (places * ratio + np.array(origin)[:, None, None]) * fine - 0.5 + margin
    lr_hsi = np.stack([map_coordinates(soft[..., band], places, order=3) for band in range(bands)], axis=2)
    bells = np.exp(-0.5 * ((np.arange(bands) - np.array([[1.0], [3.5], [6.0]])) / 1.5) ** 2)
    rng = np.random.default_rng(1)
    images = {"lr": lr_hsi, "hr": truth @ (bells / bells.sum(axis=1, keepdims=True)).T}
    pixels = {"lr": 30.0, "hr": 9.0}
    corners = {"lr": (500000 + 9 * origin[1], 4000000 - 9 * origin[0]), "hr": (500000.0, 4000000.0)}
    for name, image in images.items():
        noisy = (image + 5e-4 * rng.standard_normal(image.shape)).astype(np.float32)
        x, y = corners[name]
        transform = rasterio.Affine(pixels[name], 0.0, x, 0.0, -pixels[name], y)
        facts = {"driver": "GTiff", "dtype": "float32", "crs": "EPSG:32633", "transform": transform}
        height, width, count = image.shape
        with rasterio.open(folder / f"{name}.tif", "w", height=height, width=width, count=count, **facts) as file:
            file.write(np.moveaxis(noisy, 2, 0))
    return [f"data.lr_hsi={folder / 'lr.tif'}", f"data.hr_msi={folder / 'hr.tif'}", "output.format=tif"]


def check_alike(parts: Path, whole: Path) -> None:
    """What strips leave is what the whole leaves: cube, figures, expected errors."""
    fused = np.load(parts / "fused.npy")
    expected = np.load(whole / "fused.npy")
    assert fused.shape == expected.shape
    assert np.abs(fused - expected).max() < 1e-5 * np.ptp(expected)
    metrics = json.loads((parts / "metrics.json").read_text())
    beside = json.loads((whole / "metrics.json").read_text())
    assert metrics["extras"]["strips"] > 1
    assert metrics["verdict"]["class"] == beside["verdict"]["class"]
    assert metrics["extras"]["found"] == beside["extras"]["found"]
    for name, value in beside["consistency"].items():
        assert metrics["consistency"][name] == pytest.approx(value, rel=0.02), name
    errors = np.load(parts / "expected_error.npy")
    by_whole = np.load(whole / "expected_error.npy")
    assert errors.shape == by_whole.shape
    assert np.abs(np.log(errors / by_whole)).max() < 1e-3


@pytest.mark.slow
def test_a_shift_that_was_found_goes_by_strips(tmp_path: Path):
    made = made_pair(shift=(11.0, -4.6))
    np.save(tmp_path / "lr.npy", made.lr_hsi)
    np.save(tmp_path / "hr.npy", made.hr_msi)
    pair = [f"data.lr_hsi={tmp_path / 'lr.npy'}", f"data.hr_msi={tmp_path / 'hr.npy'}", *FEW]
    parts = run(tmp_path / "parts", *pair)
    whole = run(tmp_path / "whole", *pair, WHOLE)
    assert "shift" in json.loads((parts / "metrics.json").read_text())["extras"]["found"]
    check_alike(parts, whole)


def check_places(parts: Path, whole: Path, corner: tuple[float, float]) -> None:
    """The files lie on the same ground, from the pixel of the MSI on that is the result's first: its (x, y) corner."""
    rasterio = pytest.importorskip("rasterio")
    for name in ("fused.tif", "expected_error.tif"):
        with rasterio.open(parts / name) as one, rasterio.open(whole / name) as other:
            assert one.transform == other.transform
            assert (one.transform.c, one.transform.f) == corner
            assert one.shape == other.shape


@pytest.mark.parametrize("settings", [[], pytest.param(FEW, marks=pytest.mark.slow)], ids=["fast", "best"])
def test_another_ratio_and_origin_go_by_strips(settings: list[str], tmp_path: Path):
    valid = np.ones((84, 72), dtype=bool)
    valid[30:42, 20:35] = False
    np.save(tmp_path / "mask.npy", valid)
    lr_valid = np.ones((21, 18), dtype=bool)
    lr_valid[7:9, 5:8] = False
    np.save(tmp_path / "lr_mask.npy", lr_valid)
    masks = [f"data.mask_msi={tmp_path / 'mask.npy'}", f"data.mask_hsi={tmp_path / 'lr_mask.npy'}"]
    pair = [*laid_askew(tmp_path, (9.4, 5.2)), *settings, *masks]
    parts = run(tmp_path / "parts", *pair, "runtime.memory=8MB")
    whole = run(tmp_path / "whole", *pair, WHOLE)
    check_alike(parts, whole)
    assert np.array_equal(np.load(parts / "valid.npy"), np.load(whole / "valid.npy"))
    # Five columns and nine rows of 9 m.
    check_places(parts, whole, (500045.0, 3999919.0))


def test_a_plan_is_of_the_pair_as_it_is_laid_out_and_refuses_turned_grids():
    lr_hsi = np.zeros((30, 24, 8), dtype=np.float32)
    hr_msi = np.zeros((100, 80, 3), dtype=np.float32)
    config = load_config(None, ["runtime.memory=40MB", "method=subspace"])
    apart = Observation(lr_hsi, hr_msi, 4, grid=HsiGrid.of_ratio(10 / 3))
    plain = Observation(lr_hsi, np.zeros((120, 96, 3), dtype=np.float32), 4)
    planned = strip_plan.plan_strips(apart, config)
    assert strip_plan.bytes_as_whole(apart) == strip_plan.bytes_as_whole(plain)
    assert planned.rows == strip_plan.plan_strips(plain, config).rows
    assert planned.expected > strip_plan.plan_strips(plain, config).expected
    turned = Observation(lr_hsi, hr_msi, 4, grid=HsiGrid(np.array([[3.3, 0.2], [-0.2, 3.3]])))
    with pytest.raises(DataError, match="not turned against each other"):
        strip_plan.plan_strips(turned, config)

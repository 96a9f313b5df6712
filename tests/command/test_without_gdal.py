"""Two TIFF files to one with what the wheel alone brings: tifffile and imagecodecs read them, no GDAL is there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from paddle_umsft import read_scene
from paddle_umsft.command.main import main
from paddle_umsft.data.readers import gdal, tiff


@pytest.fixture(name="pair")
def pair_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A pair of TIFF files, compressed as GDAL writes them, where rasterio is not installed."""
    monkeypatch.setitem(sys.modules, "rasterio", None)
    for module in (gdal, tiff):
        monkeypatch.setattr(module, "has_rasterio", lambda: False)
    rng = np.random.RandomState(0)
    scene = rng.uniform(0.1, 0.9, (32, 48, 1)) * np.linspace(0.5, 1.0, 12)
    low = scene.reshape(8, 4, 12, 4, 12).mean(axis=(1, 3))
    high = scene.reshape(32, 48, 3, 4).mean(axis=3)
    for name, image in (("hsi", low), ("msi", high)):
        counts = np.round(image * 10000).astype(np.uint16)
        options = {"compression": "lzw", "predictor": True, "photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(tmp_path / f"{name}.tif", counts, **options)
    return [str(tmp_path / "hsi.tif"), str(tmp_path / "msi.tif")]


def test_the_result_is_written_as_envi(pair: list[str], tmp_path: Path) -> None:
    result = tmp_path / "fused.hdr"
    assert main(["fuse", *pair, "-o", str(result), "--set", "method=gsa"]) == 0
    assert read_scene(result, normalise="none").hr_hsi.shape == (32, 48, 12)


def test_a_geotiff_is_refused_in_one_line_that_names_the_extra(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuse", *pair, "-o", str(tmp_path / "fused.tif")]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert "rasterio" in said
    assert "paddle_umsft[geo]" in said
    assert not (tmp_path / "fused.tif").exists()

"""Figures: upright, labelled, saved in both kinds, one colour scale, no pyplot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddle_umsft import figures
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError

pytest.importorskip("matplotlib")

NM = np.arange(400.0, 710.0, 10.0)


@pytest.fixture(name="scene")
def scene_fixture() -> tuple[Observation, np.ndarray, np.ndarray]:
    """A non-square scene with a bright top right corner, its observation, and an estimate."""
    rng = np.random.default_rng(0)
    hr_hsi = rng.uniform(0.0, 0.3, size=(32, 64, 31)).astype(np.float32)
    hr_hsi[:8, 56:] = 1.0
    lr_hsi = hr_hsi.reshape(8, 4, 16, 4, 31).mean(axis=(1, 3))
    srf = np.zeros((3, 31), np.float32)
    srf[0, 20:], srf[1, 10:20], srf[2, :10] = 1 / 11, 0.1, 0.1
    observation = Observation(lr_hsi, hr_hsi @ srf.T, 4, "corner", srf=srf, wavelengths_nm=NM)
    return observation, hr_hsi, np.clip(hr_hsi + 0.02, 0, 1)


def _pixels(figure: object) -> np.ndarray:
    """What the figure looks like, (rows, columns, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)  # type: ignore[arg-type]
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]


def test_overview_is_upright(scene: tuple[Observation, np.ndarray, np.ndarray]) -> None:
    observation, reference, fused = scene
    figure = figures.overview(observation, fused, reference, title="upright", zooms=[])
    page = _pixels(figure)
    for axes in figure.axes[:4]:
        box = axes.get_window_extent()
        assert box.width > 1.8 * box.height  # 64 columns, 32 rows
        rows = slice(int(page.shape[0] - box.y1) + 1, int(page.shape[0] - box.y0))
        picture = page[rows, int(box.x0) + 1 : int(box.x1)].astype(float).mean(axis=2)
        height, width = picture.shape
        top_right = picture[2 : height // 5, -width // 10 : -2].mean()
        assert top_right > 200
        assert picture[-height // 5 :, -width // 10 :].mean() < 180
        assert picture[: height // 5, : width // 10].mean() < 180


def test_overview_without_truth_has_three_pictures(scene: tuple[Observation, np.ndarray, np.ndarray]) -> None:
    observation, _, fused = scene
    figure = figures.overview(observation, fused)
    titles = [axes.get_title().split("\n")[0] for axes in figure.axes if axes.get_title()]
    assert titles == ["LR-HSI", "HR-MSI", "fused"]


@pytest.mark.parametrize("name", ["short", "a_scene_of_a_very_long_name_" * 8, "WWWW" * 40, "cost$5$_and_" * 15])
def test_a_long_name_stays_within_the_figure(scene: tuple[Observation, np.ndarray, np.ndarray], name: str) -> None:
    observation, reference, fused = scene
    for figure in (figures.overview(observation, fused, title=name),
                   figures.comparison(observation, {"gsa": fused}, reference, title=name)):  # fmt: skip
        line = _pixels(figure).min(axis=2)[: int(0.15 * figure.dpi)]
        assert line.min() < 128
        assert line[:, :2].min() == line[:, -2:].min() == 255
        heading = figure.get_suptitle() if hasattr(figure, "get_suptitle") else figure._suptitle.get_text()
        assert heading.startswith(name[:4])
        assert ("…" in heading) == (name != "short")
        assert "×4; colours" in heading


def test_error_maps_share_one_scale(scene: tuple[Observation, np.ndarray, np.ndarray]) -> None:
    _, reference, fused = scene
    worse = np.clip(reference + 0.2, 0, 1)
    for draw in (figures.error_maps, figures.sam_maps):
        figure = draw({"good": fused, "bad": worse}, reference)
        limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
        assert len(limits) == 1
    # 0.02 everywhere but in the corner, which is clipped at 1 and so without error.
    assert np.median(figures.error_map(reference, fused)) == pytest.approx(0.02 * 255, rel=1e-4)
    assert figures.error_map(reference, fused)[0, -1] == 0


def test_comparison_has_a_column_for_each(scene: tuple[Observation, np.ndarray, np.ndarray]) -> None:
    observation, reference, fused = scene
    figure = figures.comparison(observation, {"ours": fused, "theirs": reference * 0.9}, reference)
    titles = [axes.get_title().split("\n")[0] for axes in figure.axes if axes.get_title()]
    assert titles[:5] == ["LR-HSI", "HR-MSI", "ours", "theirs", "truth"]
    assert sum(title.startswith("SAM") for title in titles) == 2


@pytest.mark.parametrize("bands", [1, 3, 6])
def test_psf_and_srf(bands: int) -> None:
    srf = np.random.default_rng(0).uniform(size=(bands, 31))
    psf = np.full((9, 9), 1 / 81)
    figure = figures.psf_srf(psf, srf, scale=8, wavelengths_nm=NM, true_psf=np.full((8, 8), 1 / 64), true_srf=srf)
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert {"wavelength (nm)", "offset (HR pixels)"} <= labels
    # A kernel of odd size over an even LR pixel reaches one pixel further up and left: from -4.5 - 1/2 on.
    assert figure.axes[0].images[0].get_extent()[0] == -5.0
    assert figure.axes[1].images[0].get_extent()[0] == -4.0


@pytest.mark.parametrize(("psf", "srf"), [(None, None), (np.full((4, 4), 1 / 16), None), (None, np.eye(2, 5))])
def test_psf_or_srf_may_be_missing(psf: np.ndarray | None, srf: np.ndarray | None) -> None:
    _pixels(figures.psf_srf(psf, srf, scale=4))


def test_spectra_and_residuals(scene: tuple[Observation, np.ndarray, np.ndarray]) -> None:
    _, reference, fused = scene
    figure = figures.spectra({"fused": fused}, reference, wavelengths_nm=NM, pixels=[(0, 60), (31, 3), (8, 8)])
    drawn = figure.axes[1].lines
    np.testing.assert_allclose(drawn[0].get_ydata(), reference[0, 60])
    np.testing.assert_allclose(drawn[1].get_xdata(), NM)
    _pixels(figures.spectra({"fused": fused}))
    residual = figures.residual_per_band({"fused": reference + 0.1}, reference, wavelengths_nm=NM[::-1])
    np.testing.assert_allclose(residual.axes[0].lines[0].get_ydata(), 25.5, rtol=1e-5)
    with pytest.raises(DataError, match=r"outside the scene.*32×64"):
        figures.spectra({"fused": fused}, pixels=[(40, 3)])


def texts_of(figure: Any) -> list[tuple[str, Any]]:
    """Titles, labels and numbers of a figure, and the box that each takes up, in pixels."""
    _pixels(figure)
    texts = []
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            # Numbers beyond the ends are there and not drawn.
            texts += [text for at, text in zip(axis.get_ticklocs(), axis.get_ticklabels()) if low <= at <= high]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]


@pytest.mark.parametrize("corner", [(0, 0), (0, 63), (31, 0), (31, 63), (0, 30), (15, 63)])
def test_numbers_of_pixels_stay_within_their_picture(
    scene: tuple[Observation, np.ndarray, np.ndarray], corner: tuple[int, int]
) -> None:
    _, reference, fused = scene
    pixels = [(16, 32), (10, 20), corner]
    figure = figures.spectra({"fused": fused}, reference, wavelengths_nm=NM, pixels=pixels)
    _pixels(figure)
    picture = figure.axes[0]
    frame = picture.get_window_extent()
    assert len(picture.texts) == len(pixels)
    for number in picture.texts:
        plate = number.get_bbox_patch().get_window_extent()
        assert frame.x0 < plate.x0 < plate.x1 < frame.x1
        assert frame.y0 < plate.y0 < plate.y1 < frame.y1


@pytest.mark.parametrize(
    ("size", "true_size", "scale", "srf"),
    [(9, 8, 8, None), (9, 8, 8, np.eye(4, 31)), (3, 3, 2, None), (64, None, 32, None)],
    ids=["9", "9 with SRF", "3", "64 alone"],
)
def test_what_is_written_beside_kernels_keeps_apart(
    size: int, true_size: int | None, scale: int, srf: np.ndarray | None
) -> None:
    true_psf = None
    if true_size is not None:
        true_psf = np.full((true_size, true_size), 1 / true_size**2)
    figure = figures.psf_srf(np.full((size, size), 1 / size**2), srf, scale=scale, true_psf=true_psf, true_srf=srf)
    texts = texts_of(figure)
    point = figure.dpi / 72
    for place, (name, box) in enumerate(texts):
        for other, beside in texts[place + 1 :]:
            across = max(box.x0, beside.x0) - min(box.x1, beside.x1)
            up = max(box.y0, beside.y0) - min(box.y1, beside.y1)
            assert max(across, up) > 0, (name, other)
    # The colour bar's numbers, and what the next plot writes on its left.
    bar = next(axes for axes in figure.axes if axes.get_label() == "<colorbar>")
    profile = next(axes for axes in figure.axes if axes.get_ylabel() == "weight")
    numbers = [label.get_window_extent().x1 for label in bar.get_yticklabels()]
    assert profile.yaxis.label.get_window_extent().x0 - max(numbers) > 6 * point


def test_zoom_finds_the_detail() -> None:
    image = np.zeros((60, 90, 3), np.uint8)
    image[40:50:2, 70:80] = 255
    zoom = figures.zoom_windows(image, size=12)[0]
    assert 28 < zoom.top <= 40
    assert 58 < zoom.left <= 72


def test_saves_png_and_pdf(scene: tuple[Observation, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    observation, reference, fused = scene
    figure = figures.overview(observation, fused, reference)
    written = figures.save_figure(figure, tmp_path / "new" / "overview")
    assert [file.suffix for file in written] == [".png", ".pdf"]
    assert written[0].read_bytes().startswith(b"\x89PNG")
    assert written[1].read_bytes().startswith(b"%PDF")
    first = written[1].read_bytes()
    figures.save_figure(figures.overview(observation, fused, reference), tmp_path / "new" / "overview")
    assert written[1].read_bytes() == first
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        figures.save_figure(figure, tmp_path / "file" / "x.png")


def test_import_brings_no_matplotlib() -> None:
    code = "import sys, paddle_umsft.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Names in letters that matplotlib's own font has not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paddle_umsft import figures
from paddle_umsft.data.scene import Observation
from paddle_umsft.figures import fonts
from paddle_umsft.figures.style import new_figure, save_figure, styled

NAME = "气球"  # balloons


def test_a_font_of_the_system_comes_second(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["SimHei", "DejaVu Sans", "Noto Sans CJK SC"])
    fonts.cjk_font.cache_clear()
    try:
        assert fonts.families() == ["DejaVu Sans", "Noto Sans CJK SC"]
        with styled():
            assert matplotlib.rcParams["font.family"] == ["DejaVu Sans", "Noto Sans CJK SC"]
    finally:
        fonts.cjk_font.cache_clear()


@pytest.fixture(name="notes")
def notes_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said of fonts, by a process that has said nothing yet."""
    notes: list[str] = []
    monkeypatch.setattr(fonts, "_said", [])
    monkeypatch.setattr(fonts, "_logger", SimpleNamespace(warning=lambda form, text: notes.append(text)))
    return notes


@pytest.fixture(name="no_font")
def no_font_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "cjk_font", lambda: None)


def titled(name: str) -> Any:
    with styled():
        figure = new_figure(2, 1)
        figure.suptitle(name)
    return figure


def ink(figure: Any) -> int:
    """How many pixels of a figure are not white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return int(np.count_nonzero(np.asarray(canvas.buffer_rgba())[:, :, :3].min(axis=2) < 255))


@pytest.mark.usefixtures("no_font")
def test_letters_without_a_font_are_said_once_and_drawn_as_no_box(tmp_path: Path, notes: list[str]) -> None:
    for name in ("a.png", "b.pdf"):
        figure = titled(f"{NAME}_ms\n×8")
        save_figure(figure, tmp_path / name)  # a warning would be an error here
        assert figure.get_suptitle() == "??_ms\n×8"
    assert notes == [fonts.NOTICE]


@pytest.mark.usefixtures("no_font")
def test_every_figure_takes_a_name_without_font(notes: list[str]) -> None:
    """Shown as a notebook does, with no file to save: no warning, whatever the name stands in."""
    rng = np.random.RandomState(0)
    truth = rng.uniform(size=(16, 24, 5)).astype(np.float32)
    low = truth.reshape(4, 4, 6, 4, 5).mean(axis=(1, 3))
    seen = Observation(low, truth[:, :, :3], 4, NAME)
    cubes = {NAME: truth}
    history = [{"stage": NAME, "step": step, "loss": 1.0 / step} for step in range(1, 5)]
    drawn = [
        figures.overview(seen, truth, truth),
        figures.comparison(seen, cubes, truth, title=NAME),
        figures.error_maps(cubes, truth, title=NAME),
        figures.spectra(cubes, truth, title=NAME),
        figures.residual_per_band(cubes, truth, title=NAME),
        figures.psf_srf(None, rng.uniform(size=(3, 5)), scale=4, title=NAME),
        figures.curves(history, title=NAME),
    ]
    for figure in drawn:
        assert ink(figure) > 0
    assert notes == [fonts.NOTICE]


@pytest.fixture(name="own_font")
def own_font_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A font of the name that Noto has, with a solid square for each letter of the name, and nothing else."""
    builder = pytest.importorskip("fontTools.fontBuilder")
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from matplotlib import font_manager

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 1000), (1000, 1000), (1000, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", "one", "two"]
    font = builder.FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap(dict(zip(map(ord, NAME), names[1:])))
    font.setupGlyf(dict.fromkeys(names, square))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    font.setupHorizontalHeader(ascent=1000, descent=0)
    font.setupNameTable({"familyName": "Noto Sans CJK SC", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    file = tmp_path / "font.ttf"
    font.save(file)
    before = list(font_manager.fontManager.ttflist)
    font_manager.fontManager.addfont(str(file))
    fonts.cjk_font.cache_clear()
    yield
    font_manager.fontManager.ttflist[:] = before
    fonts.cjk_font.cache_clear()


@pytest.mark.usefixtures("own_font")
def test_a_font_that_has_the_letters_draws_them(notes: list[str]) -> None:
    figure = titled(NAME)
    dark = ink(figure)
    assert figure.get_suptitle() == NAME
    assert notes == []
    # Two solid squares, of the size of the title's letters (9.6 points at 150 dots an inch).
    side = figure.texts[0].get_fontsize() / 72 * figure.dpi
    assert dark == pytest.approx(2 * side**2, rel=0.2)
    assert titled("a猫").get_suptitle() == "a猫"


def test_other_warnings_go_their_way() -> None:
    with pytest.warns(UserWarning, match="something else"), fonts.letters_without_font_are_said_once():
        warnings.warn("something else", stacklevel=1)

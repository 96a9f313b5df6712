"""A wide figure for a phone: every panel whole, once, in its order, and nothing beside what there is no room for."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from paddle_umsft import figures
from paddle_umsft.data.scene import Observation

pytest.importorskip("matplotlib")

DPI = 200  # of the files beside the page
WIDEST = 4.5  # inches: a map with its colour bar


def saved(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI)
    return stream.getvalue()


def pixels(content: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def drawn(name: str) -> Any:
    """A figure of the page, of a scene with noise."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=(24, 40, 12))
    nm = np.linspace(430.0, 680.0, 12)
    srf, psf = rng.uniform(size=(3, 12)), np.full((4, 4), 1 / 16)
    seen = Observation(truth[::4, ::4], truth @ srf.T, 4, "scene", wavelengths_nm=nm)
    cubes = {"gsa": truth * 0.9, "bicubic": truth * 0.8}
    history = [{"stage": stage, "loss": sign / (step + 1), "PSNR": 30.0 + step, "SAM": 9.0 - step}
               for stage, sign in (("psf", -1), ("fuse", 1)) for step in range(6)]  # fmt: skip
    draw = {
        "overview": lambda: figures.overview(seen, cubes["gsa"], truth),
        "error": lambda: figures.error_maps(cubes, truth),
        "spectra": lambda: figures.spectra(cubes, truth, wavelengths_nm=nm),
        "psf_srf": lambda: figures.psf_srf(psf, srf, scale=4, wavelengths_nm=nm, true_psf=psf, true_srf=srf),
        "curves": lambda: figures.curves(history),
        "error_per_band": lambda: figures.residual_per_band(cubes, truth, wavelengths_nm=nm),
    }
    return draw[name]()


@pytest.mark.parametrize("name", ["overview", "error", "spectra", "psf_srf", "curves"])
def test_all_that_was_drawn_is_there_once(name: str) -> None:
    figure = drawn(name)
    for heading in figure.texts:
        heading.set_fontsize(4)  # a longer one would be made smaller
    content = saved(figure)
    narrow = figures.stacked(figure, content)
    assert narrow is not None
    assert narrow.width < WIDEST * DPI
    # Cut anywhere else, ink were lost or there twice.
    ink = [(page < 255).any(axis=2).sum() for page in (pixels(content), np.asarray(narrow))]
    assert ink[0] == ink[1]


@pytest.mark.parametrize(("columns", "apiece"), [(5, 2), (2, 1)])
def test_panels_keep_their_order(columns: int, apiece: int) -> None:
    """Coloured panels of 1.75 or 3.5 inches: as many in a row as a phone has room for."""
    from paddle_umsft.figures.style import new_figure

    colours = ["#c80000", "#00c800", "#0000c8", "#c8c800", "#00c8c8"][:columns]
    figure = new_figure(1.75 * 5 if columns == 5 else 7.0, 2.0)
    for axes, colour in zip(figure.subplots(1, columns), colours):
        axes.set_facecolor(colour)
        axes.set_title("panel")
        axes.set(xticks=[], yticks=[])
    content = saved(figure)
    narrow = figures.stacked(figure, content)
    page = np.asarray(narrow)
    places = []
    for colour in colours:
        wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        whole = (pixels(content) == wanted).all(axis=2)
        found = (page == wanted).all(axis=2)
        assert found.sum() == whole.sum() > 1000
        rows, across = np.nonzero(found)
        places.append((rows.mean(), across.mean()))
    for place, (row, across) in enumerate(places[1:], start=1):
        row_before, across_before = places[place - 1]
        is_beside = place % apiece != 0
        assert (abs(row - row_before) < 2) == is_beside
        assert (across > across_before + 2) == is_beside
        assert is_beside or row > row_before + DPI


def test_what_is_narrow_stays_as_it_is() -> None:
    figure = drawn("error_per_band")
    assert figures.stacked(figure, b"") is None


def test_a_long_heading_makes_the_panels_no_smaller() -> None:
    from paddle_umsft.figures.style import new_figure

    widths = []
    for heading in ("short", "a long one " * 8):
        figure = new_figure(6.0, 0.6)
        for axes in figure.subplots(1, 3):
            axes.set(xticks=[], yticks=[])
        figure.suptitle(heading)
        narrow: Any = figures.stacked(figure, saved(figure))
        widths.append(narrow.width)
    assert widths[0] == widths[1]

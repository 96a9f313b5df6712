"""PSF and SRF under their right names, and colours that only a response tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.scene import Observation
from paddle_umsft.figures.composites import RgbView
from paddle_umsft.figures.panels import _view_of_msi, msi_wavelengths
from paddle_umsft.figures.psf_srf import psf_srf
from paddle_umsft.runs.facts import band_names

SRF = np.array([[0, 0, 0, 1.0], [0, 1, 1, 0], [2, 0, 0, 0]])


def pair(names: tuple[str, ...] = (), order: tuple[int, ...] = (0, 1, 2)) -> Observation:
    rng = np.random.default_rng(0)
    facts = FileFacts(bands=BandFacts(count=len(names), names=names), order=order)
    return Observation(rng.random((3, 5, 4)), rng.random((12, 20, 3)), 4, msi_facts=facts)


def legend_of(names: list[str]) -> list[str]:
    axes = psf_srf(None, np.ones((len(names), 5)), scale=4, band_names=names).axes[-1]
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_bands_by_their_own_names() -> None:
    assert legend_of(["B2", "B3", "B8A"]) == ["B2", "B3", "B8A"]
    # No formula, nothing that matplotlib leaves out of a legend, and nothing too long for one.
    assert legend_of(["$x$", "_hidden", "a" * 40]) == [r"\$x\$", "hidden", "a" * 12 + "…"]


def test_a_file_names_its_bands() -> None:
    assert band_names(pair(("B4", "B3", "B2"))) == ["B4", "B3", "B2"]
    assert band_names(pair(("B2", "B3", "B4"), (2, 1, 0))) == ["B4", "B3", "B2"]
    # Nobody knows which is which.
    assert band_names(pair(("B4", "", "B2"))) is None
    assert band_names(pair(("B4", "B3"), (0, 1))) is None
    assert band_names(replace(pair(), meta={"srf_names": ["R", "G", "B"]})) == ["R", "G", "B"]


@pytest.mark.parametrize(("is_given", "word"), [(True, "given"), (False, "learned")])
def test_what_was_given_is_not_called_learned(is_given: bool, word: str) -> None:
    figure = psf_srf(np.ones((4, 4)) / 16, SRF, scale=4, psf_is_given=is_given, srf_is_given=is_given)
    titles = [axes.get_title() for axes in figure.axes]
    assert f"PSF, {word} (4×4)" in titles
    assert f"SRF, {word}" in titles


def test_a_learned_response_tells_where_the_msi_looks() -> None:
    seen = replace(pair(), wavelengths_nm=np.array([450.0, 540.0, 560.0, 650.0]))
    assert msi_wavelengths(seen) is None
    np.testing.assert_allclose(msi_wavelengths(seen, SRF), [650.0, 550.0, 450.0])


@pytest.mark.parametrize(("srf", "label"), [(SRF, "RGB 650/550/450 nm"), (SRF[:1].repeat(3, 0), "bands R, G, B")])
def test_a_response_without_colours_is_not_followed(srf: np.ndarray, label: str) -> None:
    """Of two strangers, say: the MSI is then shown as its file has it."""
    seen = replace(pair(), wavelengths_nm=np.array([450.0, 540.0, 560.0, 650.0]))
    assert _view_of_msi(seen, srf).label.startswith(label)


def test_a_cube_without_wavelengths_is_shown_as_its_camera_sees_it() -> None:
    cube = np.zeros((2, 2, 4))
    cube[0, 0], cube[0, 1], cube[1, 0] = [0, 0, 0, 1], [0, 0.5, 0.5, 0], [0.5, 0, 0, 0]
    picture = RgbView.fit(cube, None, srf=SRF).render(cube)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[0, 1].tolist() == [0, 255, 0]
    assert picture[1, 0].tolist() == [0, 0, 255]
    # A blind band makes no colour: then it is false colour, as without a response.
    blind = RgbView.fit(cube, None, srf=SRF * np.array([[1.0], [0.0], [1.0]]))
    assert blind.label.startswith("false colour")

"""Where and in which bands a result is expected to be wrong, and which bands the MSI does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paddle_umsft.data.trust import SEEN, Trust
from paddle_umsft.figures.composites import Wavelengths
from paddle_umsft.figures.spectra import band_axis
from paddle_umsft.figures.style import ERROR_COLOURS, PAGE, line, new_figure, show_picture, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL = "expected error (units of the cube)"
_WIDTH, _HEIGHT = PAGE, 2.4
# Single pixels may be far worse than all others: a colour scale need not reach to the last.
_SCALE_PERCENTILE = 99.0
_UNSEEN_COLOUR = "0.85"  # light grey


def expected_error(trust: Trust, *, wavelengths_nm: Wavelengths = None) -> Figure:
    """Draw the expected error by place and by band; bands that the MSI does not see have a grey ground.

    Args:
        trust: Of a result.
        wavelengths_nm: (C,) band centres; None: bands are counted from 1.
    """
    places = trust.expected.places()
    with styled():
        figure = new_figure(_WIDTH, _HEIGHT)
        left, right = figure.subplots(1, 2)
        highest = float(np.percentile(places, _SCALE_PERCENTILE))
        drawn = show_picture(
            left,
            places,
            places.shape,
            "by place",
            cmap=ERROR_COLOURS,
            vmin=0.0,
            vmax=highest,
        )
        figure.colorbar(drawn, ax=left, label=LABEL)
        _draw_bands(right, trust.expected.bands, trust.support, wavelengths_nm)
    return figure


def _draw_bands(
    axes: Axes,
    bands: np.ndarray,
    support: np.ndarray,
    wavelengths_nm: Wavelengths,
) -> None:
    """Draw the expected error of each band."""
    order, positions, label = band_axis(len(bands), wavelengths_nm)
    style = line(0, len(bands))
    axes.plot(positions, bands[order], **style)
    unseen = support[order] != SEEN
    half = 0.5
    if len(positions) > 1:
        half = 0.5 * float(np.median(np.diff(positions)))
    for position in positions[unseen]:
        axes.axvspan(position - half, position + half, color=_UNSEEN_COLOUR, linewidth=0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(label)
    axes.set_title("by band; grey: not seen by the MSI")

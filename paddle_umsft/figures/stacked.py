"""A figure for a narrow screen: the same drawing, cut into its panels, which are put below each other.

Cutting takes hundredths of a second where drawing again would take as long as drawing did.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from paddle_umsft.figures.style import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox
    from PIL.Image import Image

# Inches. What is no wider than this, a phone shows as it is, letters as large as in the text; panels that fit into it
# together stay beside each other.
_WIDEST_ROW = 3.7
# White around a panel: less than lies between two of them, so that a cut takes nothing of the neighbour.
_MARGIN = 0.015
_APART = 0.06
# How matplotlib names the axes of a colour bar.
_COLOUR_BAR = "<colorbar>"


@dataclass
class _Panel:
    """Axes that stay together.

    Attributes:
        axes: The first bears the title; the others are its magnified parts and its colour bar.
    """

    axes: list[Axes]

    def frame(self) -> Bbox:
        """Return where the plots lie, without what is written around them, in parts of the figure."""
        from matplotlib.transforms import Bbox

        places = [axes.get_position() for axes in self.axes]
        return Bbox.union(places)

    def box(self, renderer: Any) -> Bbox:
        """Return where the panel lies with all that belongs to it, in pixels of what measures the letters."""
        from matplotlib.transforms import Bbox

        boxes = [axes.get_tightbbox(renderer) for axes in self.axes]
        drawn = [box for box in boxes if box is not None]
        return Bbox.union(drawn)


def stacked(
    figure: Figure,
    content: bytes,
) -> Optional[Image]:
    """Return a figure's panels below each other, at the size at which they were drawn.

    Args:
        figure: As it was saved.
        content: The PNG that it was saved as.

    Returns:
        The picture, RGB; None where there is one panel only, or the figure is narrow as it is.
    """
    from PIL import Image

    if figure.get_figwidth() <= _WIDEST_ROW:
        return None
    panels = _panels(figure)
    if len(panels) < 2:
        return None
    whole = Image.open(io.BytesIO(content))
    whole = whole.convert("RGB")
    density = whole.width / figure.get_figwidth()  # pixels to an inch
    headings, boxes = _measured(figure, panels, density)
    pieces = [_cut(whole, box, density) for box in boxes]
    rows = _in_rows(pieces, density)
    width = max(_width_of(row, density) for row in rows)
    lines = []
    for box in headings:
        line = _cut(whole, box, density)
        # One that is longer than the panels are wide gets smaller, not they.
        line.thumbnail((width, line.height), Image.Resampling.LANCZOS)
        lines.append([line])
    return _pasted([*lines, *rows], density)


def _panels(figure: Figure) -> list[_Panel]:
    """Return the panels of a figure that has been drawn, in the order in which one reads them."""
    panels: list[_Panel] = []
    bars = []
    for axes in figure.axes:
        if axes.get_label() == _COLOUR_BAR:
            bars.append(axes)
            continue
        if not axes.axison:
            continue  # a place of the grid that is left empty
        above = None
        if axes.images and not axes.get_title():
            # A picture without a title is a magnified part of the one above it.
            above = _panel_above(panels, axes)
        if above is None:
            panels.append(_Panel([axes]))
        else:
            above.axes.append(axes)
    for bar in bars:
        nearest = _panel_left_of(panels, bar)
        nearest.axes.append(bar)
    return panels


def _panel_above(
    panels: Sequence[_Panel],
    axes: Axes,
) -> Optional[_Panel]:
    """Return the panel that axes stand below; None where there is none."""
    place = axes.get_position()
    centre = (place.x0 + place.x1) / 2
    for panel in reversed(panels):
        frame = panel.frame()
        if frame.x0 < centre < frame.x1 and frame.y0 >= place.y1:
            return panel
    return None


def _panel_left_of(
    panels: Sequence[_Panel],
    bar: Axes,
) -> _Panel:
    """Return the panel that a colour bar stands beside, be it meant for this one or for all."""
    edge = bar.get_position().x0
    nearest = panels[0]
    for panel in panels:
        start = panel.frame().x0
        if nearest.frame().x0 <= start < edge:
            nearest = panel
    return nearest


def _measured(
    figure: Figure,
    panels: Sequence[_Panel],
    density: float,
) -> tuple[list[Bbox], list[Bbox]]:
    """Return where the lines above all lie, and the panels, in pixels of which so many make an inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    own_density = figure.dpi
    own_canvas = figure.canvas
    # Letters are measured as they were drawn, which matplotlib remembers.
    figure.set_dpi(density)
    renderer = FigureCanvasAgg(figure).get_renderer()
    with styled():
        headings = [text.get_window_extent(renderer) for text in figure.texts if text.get_text()]
        boxes = [panel.box(renderer) for panel in panels]
    figure.set_canvas(own_canvas)
    figure.set_dpi(own_density)
    return headings, boxes


def _cut(
    whole: Image,
    box: Bbox,
    density: float,
) -> Image:
    """Return what lies in a box, and a narrow margin around it.

    Args:
        whole: Picture of the figure.
        box: In pixels, counted from the lower end.
        density: Pixels to an inch.
    """
    margin = _MARGIN * density
    left = round(box.x0 - margin)
    right = round(box.x1 + margin)
    # A picture's rows are counted from above.
    top = round(whole.height - box.y1 - margin)
    bottom = round(whole.height - box.y0 + margin)
    left = max(left, 0)
    top = max(top, 0)
    right = min(right, whole.width)
    bottom = min(bottom, whole.height)
    return whole.crop((left, top, right, bottom))


def _in_rows(
    pieces: Sequence[Image],
    density: float,
) -> list[list[Image]]:
    """Return pieces in rows, as words are set in lines: each row takes what it has room for, and one at least."""
    room = _WIDEST_ROW * density
    rows = []
    row: list[Image] = []
    for piece in pieces:
        longer = [*row, piece]
        if row and _width_of(longer, density) > room:
            rows.append(row)
            longer = [piece]
        row = longer
    rows.append(row)
    return rows


def _width_of(row: Sequence[Image], density: float) -> int:
    """Return the width of a row, with the white between its pieces, in pixels."""
    apart = round(_APART * density)
    width = -apart  # there is one gap less than pieces
    for piece in row:
        width += apart
        width += piece.width
    return width


def _pasted(
    rows: Sequence[Sequence[Image]],
    density: float,
) -> Image:
    """Return rows of pieces as one picture, on white and with white around it."""
    from PIL import Image

    apart = round(_APART * density)
    width = 0
    height = apart
    ends = []
    for row in rows:
        width = max(width, _width_of(row, density))
        height += max(piece.height for piece in row)
        ends.append(height)
        height += apart
    size = (width + 2 * apart, height)
    sheet = Image.new("RGB", size, "white")
    for row, end in zip(rows, ends):
        left = apart
        for piece in row:
            # Titles may have more lines or fewer: plots beside each other end at one height.
            sheet.paste(piece, (left, end - piece.height))
            left += piece.width
            left += apart
    return sheet

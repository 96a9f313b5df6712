"""Parts of a scene that are magnified: how they are found, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np

from paddle_umsft.metrics.common import window_sums

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#FFD92F", "#66C2FF")
# A part is this share of the scene's shorter side, and not too small to show anything.
_SHARE = 4
_SMALLEST_SIDE = 8
# Edges harder than this count no more: one glaring border is not a whole part full of detail.
_HARDEST_EDGE = 60.0

# A dark line under the bright one: seen on any background, in grey too.
_DARK_WIDTH = 2.2
_BRIGHT_WIDTH = 1.1
_FRAME_WIDTH = 1.6


class Zoom(NamedTuple):
    """A part of the scene to be magnified, in high-resolution pixels."""

    top: int
    left: int
    height: int
    width: int


def zoom_windows(
    image: np.ndarray,
    count: int = 1,
    size: Optional[int] = None,
) -> list[Zoom]:
    """Find the parts with most detail, apart from each other.

    Args:
        image: (H, W, 3) uint8 picture.
        count: How many.
        size: Side in pixels; a quarter of the shorter side if not given.

    Returns:
        The windows, the richest first.
    """
    height, width = image.shape[:2]
    shorter = min(height, width)
    side = size or max(shorter // _SHARE, _SMALLEST_SIDE)
    side = min(side, shorter)
    score = _detail_of_windows(image, side)  # (H - side + 1, W - side + 1)
    found: list[Zoom] = []
    for _ in range(count):
        if score.max() == -np.inf:
            break  # no place left that is apart from the others
        best = int(np.argmax(score))
        top, left = divmod(best, score.shape[1])
        window = Zoom(
            top=top,
            left=left,
            height=side,
            width=side,
        )
        found.append(window)
        # No window that touches this one, nor one that stands close to it.
        apart = 2 * side
        rows = slice(max(top - apart, 0), top + apart)
        columns = slice(max(left - apart, 0), left + apart)
        score[rows, columns] = -np.inf
    return found


def _detail_of_windows(image: np.ndarray, side: int) -> np.ndarray:
    """Return the sum of a picture's edges over every window of this side."""
    grey = image.mean(axis=2)
    down = np.gradient(grey, axis=0)
    across = np.gradient(grey, axis=1)
    edges = np.abs(down) + np.abs(across)
    edges = np.minimum(edges, _HARDEST_EDGE)
    return window_sums(edges, side, side)


def zoom_colour(number: int) -> str:
    """Return the colour of the box with this number."""
    return _COLOURS[number % len(_COLOURS)]


def draw_box(
    axes: Axes,
    zoom: Zoom,
    colour: str,
) -> None:
    """Draw the border of a part into the picture it is taken from."""
    from matplotlib.patches import Rectangle

    # The middle of a pixel has a whole number, its border is half a pixel off.
    corner = (zoom.left - 0.5, zoom.top - 0.5)
    for width, paint in ((_DARK_WIDTH, "black"), (_BRIGHT_WIDTH, colour)):
        box = Rectangle(
            corner,
            zoom.width,
            zoom.height,
            fill=False,
            linewidth=width,
            edgecolor=paint,
        )
        axes.add_patch(box)


def frame_zoom(
    axes: Axes,
    zoom: Zoom,
    colour: str,
) -> None:
    """Show a part alone, in a frame of the colour that its border has in the picture."""
    axes.set_xlim(zoom.left - 0.5, zoom.left + zoom.width - 0.5)
    axes.set_ylim(zoom.top + zoom.height - 0.5, zoom.top - 0.5)
    for side in axes.spines.values():
        side.set_edgecolor(colour)
        side.set_linewidth(_FRAME_WIDTH)


def aspects(zooms: Sequence[Zoom]) -> list[float]:
    """Return height over width of each part."""
    return [zoom.height / zoom.width for zoom in zooms]

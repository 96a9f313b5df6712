"""The look that all figures share, and how they are saved. matplotlib is imported when a figure is made, not before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from paddle_umsft.figures.fonts import families, letters_without_font_are_said_once
from paddle_umsft.machine.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.grid": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "image.interpolation": "nearest",
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
}

# Width of a page of two columns, in inches.
PAGE = 7.16
APART = 0.02  # inches left and right of a part
TITLE_SIZE = 9  # points, of the line above a whole figure
# Figures that stand in a title need no more digits than this to be told apart.
PICTURE_DIGITS = 2
# Along a line, this many markers tell it from its neighbours without hiding it.
_MARKERS = 8

_ENDINGS = (".png", ".pdf", ".svg")
_USUAL_ENDINGS = (".png", ".pdf")

# Both colour scales grow steadily in lightness: they read the same in grey.
ERROR_COLOURS = "inferno"
ANGLE_COLOURS = "viridis"
KERNEL_COLOURS = "cividis"

# After Okabe and Ito (safe for the colour-blind), neighbours far apart in lightness, each with its own dash and
# marker: lines differ in grey too.
LINES: tuple[dict[str, Any], ...] = (
    {"color": "#D55E00", "linestyle": "-", "marker": "o"},
    {"color": "#08306B", "linestyle": "--", "marker": "s"},
    {"color": "#56B4E9", "linestyle": "-.", "marker": "^"},
    {"color": "#CC79A7", "linestyle": ":", "marker": "D"},
    {"color": "#E69F00", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#009E73", "linestyle": (0, (3, 1)), "marker": "P"},
    {"color": "#7F7F7F", "linestyle": (0, (1, 1)), "marker": "X"},
)
TRUTH_LINE: dict[str, Any] = {
    "color": "black",
    "linestyle": "-",
    "linewidth": 2.2,
    "alpha": 0.35,
}


def line(index: int, points: int = 0) -> dict[str, Any]:
    """Return colour, dash and marker of the line with this number.

    Args:
        index: Number of the line.
        points: How many points it has, where markers are to be thinned.
    """
    chosen = dict(LINES[index % len(LINES)])
    if points:
        chosen["markevery"] = max(1, points // _MARKERS)
    return chosen


@contextmanager
def styled() -> Iterator[None]:
    """Set the common look for as long as a figure is being drawn; the user's own settings are left as they were."""
    import matplotlib

    settings: Any = {**STYLE, "font.family": families()}  # newer stubs list every key, older ones take any
    with matplotlib.rc_context(settings):
        yield


def new_figure(
    width: float,
    height: float,
    apart: float = APART,
) -> Figure:
    """Return an empty figure of this size that lays out its parts by itself; no pyplot, no screen.

    Args:
        width: In inches.
        height: In inches.
        apart: Room left and right of each part, in inches.
    """
    # Brings matplotlib along.
    from paddle_umsft.figures.legible import LegibleFigure

    figure = LegibleFigure(figsize=(width, height), layout="constrained")
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.set(
            w_pad=apart,
            h_pad=0.02,
            wspace=0.02,
            hspace=0.03,
        )  # type: ignore[call-arg]
    return figure


def show_picture(axes: Axes, image: np.ndarray, shape: Sequence[int], title: str = "", **options: Any) -> Any:
    """Draw an image so that its axes count high-resolution pixels, whatever its own size.

    Args:
        axes: Where to draw.
        image: (h, w) or (h, w, 3).
        shape: (H, W) of the high resolution.
        title: Title above.
        **options: For `imshow`.

    Returns:
        The drawn image, for a colour bar.
    """
    height, width = shape[0], shape[1]
    drawn = axes.imshow(image, extent=(-0.5, width - 0.5, height - 0.5, -0.5), **options)
    axes.set_xticks([])
    axes.set_yticks([])
    if title:
        axes.set_title(title)
    return drawn


def save_figure(
    fig: Figure,
    path: str | Path,
    *,
    dpi: Optional[int] = None,
) -> list[Path]:
    """Save a figure as its name's ending says, whole or not at all; without an ending as PNG and PDF both.

    Args:
        fig: The figure.
        path: File to write; its folder is made.
        dpi: Resolution of pictures; 200 if not given.

    Returns:
        The files written.

    Raises:
        DataError: The folder or file cannot be written.
    """
    target = Path(path)
    targets = [target]
    if target.suffix.lower() not in _ENDINGS:
        targets = [target.with_name(target.name + ending) for ending in _USUAL_ENDINGS]
    for file in targets:
        _save_one(fig, file, dpi or STYLE["savefig.dpi"])
    return targets


def _save_one(
    fig: Figure,
    file: Path,
    dpi: int,
) -> None:
    """Save a figure as one file, whole or not at all.

    Raises:
        DataError: It cannot be written.
    """
    metadata: dict[str, Any] = {}
    if file.suffix == ".pdf":
        metadata["CreationDate"] = None  # no date inside: the same figure makes the same file

    def write(temporary: Path) -> None:
        with styled(), letters_without_font_are_said_once():
            fig.savefig(temporary, dpi=dpi, metadata=metadata)

    write_whole(file, write)

"""Panels: what the cameras saw, what came out, what is true, and where the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from paddle_umsft.data.scene import Observation
from paddle_umsft.figures.composites import RgbView
from paddle_umsft.figures.errors import ERROR_LABEL, angle_map, draw_maps, error_map
from paddle_umsft.figures.style import ANGLE_COLOURS, ERROR_COLOURS, new_figure, show_picture, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEADING_SIZE = 9.0  # points
_SHORTEST_NAME = 8  # letters that stay of a long name
ZOOM_COLOURS = ("#FFD92F", "#66C2FF")


class Zoom(NamedTuple):
    """A part of the scene to be magnified, in high-resolution pixels."""

    top: int
    left: int
    height: int
    width: int


class _Picture(NamedTuple):
    title: str
    image: np.ndarray


def msi_wavelengths(observation: Observation) -> np.ndarray | None:
    """Centres of the MSI bands in nm, from the SRF or the supports; None where neither is known."""
    nm = observation.wavelengths_nm
    if nm is None:
        return None
    nm = np.asarray(nm, dtype=np.float64)
    if observation.srf is not None:
        srf = np.clip(np.asarray(observation.srf, dtype=np.float64), 0.0, None)
        total = srf.sum(axis=1)
        return np.asarray(srf @ nm / total) if (total > 0).all() else None
    if observation.supports is not None:
        return np.array([nm[a:b].mean() for a, b in observation.supports])
    return None


def zoom_windows(image: np.ndarray, count: int = 1, size: int | None = None) -> list[Zoom]:
    """Finds the parts with most detail, apart from each other and from the border.

    Args:
        image: (H, W, 3) uint8 picture.
        count: How many.
        size: Side in pixels; a quarter of the shorter side if not given.

    Returns:
        The windows, the richest first.
    """
    height, width = image.shape[:2]
    side = min(size or max(min(height, width) // 4, 8), height, width)
    grey = image.mean(axis=2)
    detail = np.minimum(np.abs(np.gradient(grey, axis=0)) + np.abs(np.gradient(grey, axis=1)), 60.0)
    sums = np.pad(detail.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    score = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    found: list[Zoom] = []
    for _ in range(count):
        if not np.isfinite(score).any() or score.max() == -np.inf:
            break
        top, left = (int(i) for i in np.unravel_index(int(np.argmax(score)), score.shape))
        found.append(Zoom(top, left, side, side))
        score[max(top - 2 * side, 0) : top + 2 * side, max(left - 2 * side, 0) : left + 2 * side] = -np.inf
    return found


def _draw_box(axes: Axes, zoom: Zoom, colour: str) -> None:
    from matplotlib.patches import Rectangle

    corner = (zoom.left - 0.5, zoom.top - 0.5)
    # A dark line under the bright one: seen on any background, in grey too.
    for width, paint in ((2.2, "black"), (1.1, colour)):
        axes.add_patch(Rectangle(corner, zoom.width, zoom.height, fill=False, linewidth=width, edgecolor=paint))


def _frame_zoom(axes: Axes, zoom: Zoom, colour: str) -> None:
    axes.set_xlim(zoom.left - 0.5, zoom.left + zoom.width - 0.5)
    axes.set_ylim(zoom.top + zoom.height - 0.5, zoom.top - 0.5)
    for side in axes.spines.values():
        side.set_edgecolor(colour)
        side.set_linewidth(1.6)


def _pictures(
    observation: Observation, fused: Mapping[str, np.ndarray], reference: np.ndarray | None
) -> tuple[list[_Picture], str]:
    """All pictures from left to right, in one way of colouring, and its name."""
    model = reference if reference is not None else next(iter(fused.values()))
    view = RgbView.fit(model, observation.wavelengths_nm)
    msi = RgbView.fit(observation.hr_msi, msi_wavelengths(observation))
    small = "×".join(str(n) for n in observation.lr_hsi.shape)
    large = "×".join(str(n) for n in observation.hr_msi.shape)
    plain = msi.label.replace(", stretched", "")  # too long for a column; the heading says it of the scene
    msi_bands = "" if observation.msi_bands == 3 and plain.startswith(("RGB", "bands R")) else f"\n{plain}"
    pictures = [
        _Picture(f"LR-HSI\n{small}", view.render(observation.lr_hsi)),
        _Picture(f"HR-MSI\n{large}{msi_bands}", msi.render(observation.hr_msi)),
    ]
    pictures += [_Picture(name, view.render(cube)) for name, cube in fused.items()]
    if reference is not None:
        pictures.append(_Picture("truth", view.render(reference)))
    return pictures, view.label


def _draw_columns(rows: Any, pictures: Sequence[_Picture], shape: tuple[int, int], zooms: Sequence[Zoom]) -> None:
    """First row: the pictures with their boxes; one more row for each box, magnified."""
    for column, picture in enumerate(pictures):
        show_picture(rows[0][column], picture.image, shape, picture.title)
        for number, zoom in enumerate(zooms):
            colour = ZOOM_COLOURS[number % len(ZOOM_COLOURS)]
            _draw_box(rows[0][column], zoom, colour)
            show_picture(rows[1 + number][column], picture.image, shape)
            _frame_zoom(rows[1 + number][column], zoom, colour)


def overview(
    observation: Observation,
    fused: np.ndarray,
    reference: np.ndarray | None = None,
    title: str = "",
    *,
    zooms: Sequence[Zoom] | None = None,
) -> Figure:
    """One scene at a glance: LR-HSI, HR-MSI, fused, truth and error map, each with a magnified part.

    Args:
        observation: What the cameras saw.
        fused: (H, W, C).
        reference: (H, W, C) truth; without it there is neither truth nor error map.
        title: Above all.
        zooms: Parts to magnify; chosen by their detail if not given.

    Returns:
        The figure.
    """
    shape = observation.shape
    pictures, label = _pictures(observation, {"fused": fused}, reference)
    boxes = list(zooms) if zooms is not None else zoom_windows(pictures[-1].image)
    columns = len(pictures) + (reference is not None)
    width = 1.75
    heights = [shape[0] / shape[1]] + [zoom.height / zoom.width for zoom in boxes]
    with styled():
        figure = new_figure(width * columns + (0.5 if reference is not None else 0.0), width * sum(heights) + 0.75)
        rows = figure.subplots(1 + len(boxes), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
        _draw_columns(rows, pictures, shape, boxes)
        if reference is not None:
            values = error_map(reference, fused)
            column = [row[-1] for row in rows]
            draw_maps(
                column, [values] * len(column), ERROR_COLOURS, label=ERROR_LABEL, ax=column, fraction=0.09, pad=0.03
            )
            column[0].set_title(f"error\nRMSE {np.sqrt(np.mean(values**2)):.2f}")
            for number, zoom in enumerate(boxes):
                _frame_zoom(column[1 + number], zoom, ZOOM_COLOURS[number % len(ZOOM_COLOURS)])
        _draw_heading(figure, title or observation.name, f"  (×{observation.scale}; colours: {label})")
    return figure


def comparison(
    observation: Observation,
    fused: Mapping[str, np.ndarray],
    reference: np.ndarray,
    title: str = "",
    *,
    zooms: Sequence[Zoom] | None = None,
) -> Figure:
    """Several methods on one scene: pictures, magnified parts, error maps and SAM maps on common scales.

    Args:
        observation: What the cameras saw.
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth.
        title: Above all.
        zooms: Parts to magnify; chosen by their detail if not given.

    Returns:
        The figure.
    """
    shape = observation.shape
    pictures, label = _pictures(observation, fused, reference)
    boxes = list(zooms) if zooms is not None else zoom_windows(pictures[-1].image)
    aspect = shape[0] / shape[1]
    heights = [aspect] + [zoom.height / zoom.width for zoom in boxes] + [aspect, aspect]
    columns, width = len(pictures), 1.25
    with styled():
        figure = new_figure(width * columns, width * sum(heights) + 0.8)
        rows = figure.subplots(len(heights), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
        _draw_columns(rows, pictures, shape, boxes)
        for row, measure, colours, words in (
            (rows[-2], error_map, ERROR_COLOURS, "error\nRMSE over bands\n(values × 255)"),
            (rows[-1], angle_map, ANGLE_COLOURS, "SAM\nspectral angle\n(degrees)"),
        ):
            _draw_map_row(row, [measure(reference, cube) for cube in fused.values()], colours, words)
        _draw_heading(figure, title or observation.name, f"  (×{observation.scale}; colours: {label})")
    return figure


def _draw_heading(figure: Figure, name: str, rest: str) -> None:
    """The line above all; a name that is too long for the figure loses its middle."""
    from matplotlib.textpath import TextPath

    def width(text: str) -> float:
        return float(TextPath((0, 0), text, size=_HEADING_SIZE).get_extents().width)

    def shown(keep: int) -> str:
        short = name if keep >= len(name) else f"{name[: (keep + 1) // 2]}…{name[len(name) - keep // 2 :]}"
        return short.replace("$", r"\$") + rest  # no formula

    room, keep = 0.95 * 72 * figure.get_figwidth(), len(name)  # on pixels, letters get up to 3 % wider
    while keep > _SHORTEST_NAME and width(shown(keep)) > room:
        keep -= max(1, int((width(shown(keep)) - room) / _HEADING_SIZE))  # few letters are wider than high
    figure.suptitle(shown(keep), fontsize=_HEADING_SIZE)


def _draw_map_row(row: Sequence[Axes], maps: Sequence[np.ndarray], colours: str, words: str) -> None:
    """Maps under their methods, words and colour bar in the places under the inputs and the truth, which have none."""
    for place in (row[0], row[1], row[-1]):
        place.set_axis_off()
    row[1].text(1.0, 0.5, words, transform=row[1].transAxes, ha="right", va="center", fontsize=8)
    angles = colours == ANGLE_COLOURS
    draw_maps(row[2:-1], maps, colours, cax=row[-1].inset_axes((0.02, 0.03, 0.1, 0.94)))
    for place, values in zip(row[2:-1], maps):
        mean: Any = np.nanmean(values) if angles else np.sqrt(np.mean(values**2))
        place.set_title(f"SAM {mean:.2f}°" if angles else f"RMSE {mean:.2f}", fontsize=7)

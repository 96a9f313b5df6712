"""Panels: what the cameras saw, what came out, what is true, and where the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np

from paddle_umsft.data.scene import Observation
from paddle_umsft.figures.composites import RgbView
from paddle_umsft.figures.errors import ERROR_LABEL, angle_map, angle_words, draw_maps, error_map, error_words
from paddle_umsft.figures.style import ANGLE_COLOURS, ERROR_COLOURS, new_figure, show_picture, styled
from paddle_umsft.figures.zoom import Zoom, aspects, draw_box, frame_zoom, zoom_colour, zoom_windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEADING_SIZE = 9.0  # points
_POINTS_PER_INCH = 72
_SHORTEST_NAME = 8  # letters that stay of a long name
# On pixels, letters get up to 3 % wider than they are in outline.
_ROOM_FOR_HEADING = 0.95

# Inches.
_OVERVIEW_COLUMN = 1.75
_OVERVIEW_BAR = 0.5
_OVERVIEW_HEAD = 0.75
_COMPARISON_COLUMN = 1.25
_COMPARISON_HEAD = 0.8

_ERROR_WORDS = "error\nRMSE over bands\n(values × 255)"
_ANGLE_WORDS = "SAM\nspectral angle\n(degrees)"


class _TitledImage(NamedTuple):
    """A picture (h, w, 3) uint8 and what stands above it."""

    title: str
    image: np.ndarray


def msi_wavelengths(observation: Observation, learned_srf: Optional[np.ndarray] = None) -> Optional[np.ndarray]:
    """Return the centres of the MSI bands in nm, from the SRF or the supports; None where neither is known.

    Args:
        observation: The pair.
        learned_srf: (M, C) response that a method found, for want of a known one.
    """
    nm = observation.wavelengths_nm
    if nm is None:
        return None
    nm = np.asarray(nm, dtype=np.float64)
    srf = observation.srf
    if srf is None and observation.supports is None:
        srf = learned_srf
    if srf is not None:
        srf = np.asarray(srf, dtype=np.float64)
        srf = np.clip(srf, 0.0, None)  # a response below zero is noise of the estimate
        total = srf.sum(axis=1)  # (M,)
        if (total <= 0).any():
            return None
        return np.asarray(srf @ nm / total)
    if observation.supports is not None:
        centres = [nm[first:end].mean() for first, end in observation.supports]
        return np.array(centres)
    return None


def _titled_images(
    observation: Observation,
    fused: Mapping[str, np.ndarray],
    reference: Optional[np.ndarray],
    srf: Optional[np.ndarray] = None,
) -> tuple[list[_TitledImage], str]:
    """Return all pictures from left to right, in one way of colouring, and its name."""
    model = reference
    if model is None:
        model = next(iter(fused.values()))
    view = RgbView.fit(model, observation.wavelengths_nm, srf=srf)
    msi_view = _view_of_msi(observation, srf)
    lr_hsi = _TitledImage(
        title=f"LR-HSI\n{_sizes(observation.lr_hsi)}",
        image=view.render(observation.lr_hsi),
    )
    hr_msi = _TitledImage(
        title=_msi_title(observation, msi_view.label),
        image=msi_view.render(observation.hr_msi),
    )
    images = [lr_hsi, hr_msi]
    cubes = dict(fused)
    if reference is not None:
        cubes["truth"] = reference
    for name, cube in cubes.items():
        picture = _TitledImage(title=name, image=view.render(cube))
        images.append(picture)
    return images, view.label


def _view_of_msi(observation: Observation, srf: Optional[np.ndarray]) -> RgbView:
    """Return how the HR-MSI is coloured: by what is known of its bands, or by a learned SRF that makes sense."""
    told = msi_wavelengths(observation)
    if told is None and srf is not None:
        learned = msi_wavelengths(observation, srf)
        view = RgbView.fit(observation.hr_msi, learned)
        # One that finds no red, green and blue is no reason to show bands in another order than the file's.
        if not view.is_false_colour:
            return view
    return RgbView.fit(observation.hr_msi, told)


def _msi_title(observation: Observation, label: str) -> str:
    """Return the title of the HR-MSI; how it is coloured is said where it is not as anybody would think."""
    title = f"HR-MSI\n{_sizes(observation.hr_msi)}"
    plain = label.replace(", stretched", "")  # too long for a column; the heading says it of the scene
    as_expected = observation.msi_bands == 3 and plain.startswith(("RGB", "bands R"))
    if as_expected:
        return title
    return f"{title}\n{plain}"


def _sizes(cube: np.ndarray) -> str:
    """Return a cube's shape as people write it."""
    return "×".join(str(size) for size in cube.shape)


def _draw_columns(
    rows: Sequence[Sequence[Axes]],
    images: Sequence[_TitledImage],
    shape: tuple[int, int],
    zooms: Sequence[Zoom],
) -> None:
    """Draw the pictures with their boxes into the first row, and each box, magnified, into one more row."""
    first_row = rows[0]
    for column, titled in enumerate(images):
        show_picture(first_row[column], titled.image, shape, titled.title)
        for number, zoom in enumerate(zooms):
            colour = zoom_colour(number)
            draw_box(first_row[column], zoom, colour)
            magnified = rows[1 + number][column]
            show_picture(magnified, titled.image, shape)
            frame_zoom(magnified, zoom, colour)


def overview(
    observation: Observation,
    fused: np.ndarray,
    reference: Optional[np.ndarray] = None,
    title: str = "",
    *,
    zooms: Optional[Sequence[Zoom]] = None,
    srf: Optional[np.ndarray] = None,
) -> Figure:
    """Draw one scene at a glance: LR-HSI, HR-MSI, fused, truth and error map, each with a magnified part.

    Args:
        observation: What the cameras saw.
        fused: (H, W, C).
        reference: (H, W, C) truth; without it there is neither truth nor error map.
        title: Above all.
        zooms: Parts to magnify; chosen by their detail if not given.
        srf: (M, C) of the method, which tells colours where wavelengths are not known otherwise.

    Returns:
        The figure.
    """
    shape = observation.shape
    images, label = _titled_images(observation, {"fused": fused}, reference, srf)
    if zooms is None:
        zooms = zoom_windows(images[-1].image)
    heights = [shape[0] / shape[1], *aspects(zooms)]
    columns = len(images)
    bar = 0.0
    if reference is not None:
        columns += 1  # the error map
        bar = _OVERVIEW_BAR
    with styled():
        width = _OVERVIEW_COLUMN * columns + bar
        height = _OVERVIEW_COLUMN * sum(heights) + _OVERVIEW_HEAD
        figure = new_figure(width, height)
        rows = _grid(figure, heights, columns)
        _draw_columns(rows, images, shape, zooms)
        if reference is not None:
            last_column = [row[-1] for row in rows]
            errors = error_map(reference, fused)
            _draw_error_column(last_column, errors, zooms)
        _draw_heading(
            figure,
            name=title or observation.name,
            rest=f"  (×{observation.ratio}; colours: {label})",
        )
    return figure


def _grid(
    figure: Figure,
    heights: Sequence[float],
    columns: int,
) -> list[list[Axes]]:
    """Return axes in rows of these relative heights."""
    grid = figure.subplots(
        len(heights),
        columns,
        squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )
    return [list(row) for row in grid]


def _draw_error_column(
    column: Sequence[Axes],
    errors: np.ndarray,
    zooms: Sequence[Zoom],
) -> None:
    """Draw an error map, whole and magnified, with one colour bar."""
    maps = [errors] * len(column)
    draw_maps(
        column,
        maps,
        ERROR_COLOURS,
        label=ERROR_LABEL,
        ax=column,
        fraction=0.09,
        pad=0.03,
    )
    column[0].set_title(f"error\n{error_words(errors)}")
    for number, zoom in enumerate(zooms):
        frame_zoom(column[1 + number], zoom, zoom_colour(number))


def comparison(
    observation: Observation,
    fused: Mapping[str, np.ndarray],
    reference: np.ndarray,
    title: str = "",
    *,
    zooms: Optional[Sequence[Zoom]] = None,
) -> Figure:
    """Draw several methods on one scene: pictures, magnified parts, error maps and SAM maps on common scales.

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
    images, label = _titled_images(observation, fused, reference)
    if zooms is None:
        zooms = zoom_windows(images[-1].image)
    aspect = shape[0] / shape[1]
    # Pictures, magnified parts, errors, angles.
    heights = [aspect, *aspects(zooms), aspect, aspect]
    columns = len(images)
    errors = [error_map(reference, cube) for cube in fused.values()]
    angles = [angle_map(reference, cube) for cube in fused.values()]
    with styled():
        figure = new_figure(
            _COMPARISON_COLUMN * columns,
            _COMPARISON_COLUMN * sum(heights) + _COMPARISON_HEAD,
        )
        rows = _grid(figure, heights, columns)
        _draw_columns(rows, images, shape, zooms)
        _draw_map_row(
            rows[-2],
            errors,
            titles=[error_words(values) for values in errors],
            colours=ERROR_COLOURS,
            words=_ERROR_WORDS,
        )
        _draw_map_row(
            rows[-1],
            angles,
            titles=[angle_words(values) for values in angles],
            colours=ANGLE_COLOURS,
            words=_ANGLE_WORDS,
        )
        _draw_heading(
            figure,
            name=title or observation.name,
            rest=f"  (×{observation.ratio}; colours: {label})",
        )
    return figure


def _draw_heading(
    figure: Figure,
    name: str,
    rest: str,
) -> None:
    """Draw the line above all; a name that is too long for the figure loses its middle."""
    from matplotlib.textpath import TextPath

    def width(text: str) -> float:
        outline = TextPath((0, 0), text, size=_HEADING_SIZE)
        return float(outline.get_extents().width)

    def heading(keep: int) -> str:
        short = name
        if keep < len(name):
            beginning = (keep + 1) // 2
            end = len(name) - keep // 2
            short = f"{name[:beginning]}…{name[end:]}"
        return short.replace("$", r"\$") + rest  # no formula

    room = _ROOM_FOR_HEADING * _POINTS_PER_INCH * figure.get_figwidth()
    keep = len(name)
    while keep > _SHORTEST_NAME:
        excess = width(heading(keep)) - room
        if excess <= 0:
            break
        keep -= max(1, int(excess / _HEADING_SIZE))  # few letters are wider than high
    figure.suptitle(heading(keep), fontsize=_HEADING_SIZE)


def _draw_map_row(
    row: Sequence[Axes],
    maps: Sequence[np.ndarray],
    titles: Sequence[str],
    colours: str,
    words: str,
) -> None:
    """Draw maps under their methods; words and colour bar stand under the inputs and the truth, which have no map."""
    below_hsi, below_msi, *places, below_truth = row
    for place in (below_hsi, below_msi, below_truth):
        place.set_axis_off()
    below_msi.text(
        1.0,
        0.5,
        words,
        transform=below_msi.transAxes,
        ha="right",
        va="center",
        fontsize=8,
    )
    bar = below_truth.inset_axes((0.02, 0.03, 0.1, 0.94))
    draw_maps(places, maps, colours, cax=bar)
    for place, title in zip(places, titles):
        place.set_title(title, fontsize=7)

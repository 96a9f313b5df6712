"""The two images of a pair, and of each no more than the ground that both show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.cubes import HR_MSI, LR_HSI, Cube, cut_to, known_bands, upright
from paddle_umsft.data.layout import OpenAxes, pair_layouts
from paddle_umsft.data.placing import Windows, common_windows
from paddle_umsft.data.readers.base import GLANCE, RawArray, Request
from paddle_umsft.data.readers.many import Named, image_name, read_image, read_image_head
from paddle_umsft.data.readers.single import tells_alike


def read_both(settings: DataConfig) -> tuple[Cube, Cube]:
    """Read LR-HSI and HR-MSI, unscaled, upright, cut to common ground where both name theirs.

    A tile of a satellite is a hundred times the ground of most HSIs: both files are asked where they lie before any of
    their pixels are read. Where that loses nothing these come as float32 (`Cube.stored`), which they end as: an image
    that half fills the memory is not to be there twice.

    Args:
        settings: Section `data`.

    Raises:
        DataError: Missing, unreadable or unusable data.
    """
    low_request, high_request = _requests(settings)
    low_seen = _glance(settings.lr_hsi, low_request)
    high_seen = _glance(settings.hr_msi, high_request)
    windows = _windows(settings, low_seen.found, high_seen.found)
    low_request = replace(low_request, window=windows.of_hsi)
    high_request = replace(high_request, window=windows.of_msi)
    layouts = (low_request.layout, high_request.layout)
    if low_seen.is_head and high_seen.is_head:
        # Of an image that was only glanced at there is no size to compare.
        layouts = _layouts(settings, low_seen.found, high_seen.found)[:2]
    low = _after_glance(low_seen, settings.lr_hsi, low_request, layouts[0], settings)
    high = _after_glance(high_seen, settings.hr_msi, high_request, layouts[1], settings)
    return _both_upright(settings, low, high, windows)


def heads_of_both(settings: DataConfig) -> Optional[tuple[Cube, Cube]]:
    """Return LR-HSI and HR-MSI as `read_both` does, but with values that only have the size; None where heads do not
    tell it.

    Args:
        settings: Section `data`.

    Raises:
        DataError: Missing or unusable data, as far as heads show it.
    """
    low_request, high_request = _requests(settings)
    low = read_image_head(settings.lr_hsi, low_request)
    high = read_image_head(settings.hr_msi, high_request)
    if low is None or high is None:
        return None
    return _both_upright(settings, low, high, _windows(settings, low, high))


def _requests(settings: DataConfig) -> tuple[Request, Request]:
    """Return what is asked of the two files."""
    return (
        LR_HSI.request(settings.lr_key, settings.lr_layout or settings.layout, settings),
        HR_MSI.request(settings.hr_key, settings.hr_layout or settings.layout, settings),
    )


def _both_upright(
    settings: DataConfig,
    low: RawArray,
    high: RawArray,
    windows: Windows,
) -> tuple[Cube, Cube]:
    """Bring both images to rows, columns, bands, and cut what was not cut when it was read."""
    lr_layout, hr_layout, notes = _layouts(settings, low, high)
    low_cube = upright(
        low,
        image_name(settings.lr_hsi),
        settings,
        LR_HSI,
        layout=lr_layout,
        key=settings.lr_key,
    )
    high_cube = upright(
        high,
        image_name(settings.hr_msi),
        settings,
        HR_MSI,
        layout=hr_layout,
        key=settings.hr_key,
    )
    low_cube = replace(low_cube, notes=low_cube.notes + notes)
    low_cube = cut_to(low_cube, windows.of_hsi, image_name(settings.lr_hsi))
    high_cube = cut_to(high_cube, windows.of_msi, image_name(settings.hr_msi))
    return _with_cut_note(low_cube), _with_cut_note(high_cube)


def _layouts(
    settings: DataConfig,
    low: RawArray,
    high: RawArray,
) -> tuple[str, str, tuple[str, ...]]:
    """Return the order of the axes of both, see `pair_layouts`."""
    return pair_layouts(
        OpenAxes.of(low, settings.lr_layout or settings.layout, known_bands(low, settings, LR_HSI)),
        OpenAxes.of(high, settings.hr_layout or settings.layout, None),
    )


def _windows(
    settings: DataConfig,
    low: RawArray,
    high: RawArray,
) -> Windows:
    """Return what is wanted of the two images."""
    if settings.coordinates != "auto":
        return Windows()
    return common_windows(
        low.facts,
        high.facts,
        _size(low),
        _size(high),
    )


def _size(found: RawArray) -> tuple[int, ...]:
    """Return rows and columns of a file's image; one that names its ground is upright."""
    return found.size or found.values.shape[:2]


@dataclass(frozen=True)
class _Seen:
    """What is known of an image before it is read.

    Attributes:
        found: Its facts and its size; its values, where these had to be read for that.
        is_head: None of its values have been.
    """

    found: RawArray
    is_head: bool


def _glance(named: Optional[Named], request: Request) -> _Seen:
    """Ask a file where it lies and how large it is."""
    head = read_image_head(named, request)
    if head is not None:
        return _Seen(found=head, is_head=True)
    return _Seen(found=read_image(named, replace(request, window=GLANCE)), is_head=False)


def _after_glance(
    seen: _Seen,
    named: Optional[Named],
    request: Request,
    layout: str,
    settings: DataConfig,
) -> RawArray:
    """Read what is wanted, if the glance has not read it all already.

    Args:
        seen: What the glance has found.
        named: The file.
        request: What is wanted.
        layout: The order of its axes, as both files tell it.
        settings: Section `data`: `no_data`.
    """
    if seen.is_head:
        told = [seen.found.facts.no_data]
        if not isinstance(settings.no_data, str):
            told.append(float(settings.no_data))
        is_single = all(tells_alike(no_data) for no_data in told)
        if request.window is None:
            # In which order it will lie in memory. Of a part the reader says how it has taken the axes.
            request = replace(request, layout=layout)
        return read_image(named, replace(request, is_single=is_single))
    if seen.found.window is None:
        return seen.found
    return read_image(named, request)


def _with_cut_note(cube: Cube) -> Cube:
    """Say of a cube that it was cut, if it was."""
    if cube.window is None:
        return cube
    rows, columns = cube.whole_size
    top, left, height, width = cube.window
    note = (
        f"{cube.source}: cut from {rows}x{columns} to {height}x{width} at row {top}, column {left}: "
        "the ground that both images show"
    )
    return replace(cube, notes=(*cube.notes, note))

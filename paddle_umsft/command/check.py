"""`umsft check`: whether two images belong together, before hours are spent on them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional

from paddle_umsft.command.base import BAD_DATA, DONE, Command

if TYPE_CHECKING:
    from paddle_umsft.config.run import Config
    from paddle_umsft.data.ground import Georeference
    from paddle_umsft.data.scene import Observation

# The HSI's spectra explain less than this share of the MSI: two images of one place share more, whatever the season.
BELONG = 0.3
# Below this share something is wrong that need not be the place: another day, clouds, a shift too far to be found.
DOUBTFUL = 0.7
# LR pixels along a side that are looked at: enough to tell, and quick for a whole satellite scene.
LARGEST = 160
# A shift of this part of an LR pixel is worth a word: less is what two products of one agency differ by.
SHIFT_WORTH_A_WORD = 0.25


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        share: Part of the MSI's variance that the HSI's spectra explain at the best shift, 0 to 1.
        shift: (2,) rows and columns, HR pixels, by which the HSI lies off.
        notes: What else was found, a line each.
        offset: A constant per MSI band, where there is one.
    """

    share: float
    shift: tuple[float, float]
    notes: tuple[str, ...] = ()
    offset: Optional[list[float]] = None

    @property
    def belong(self) -> bool:
        """Return whether the two are of one place."""
        return self.share >= BELONG


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("hsi", metavar="HSI", help="the hyperspectral image")
    parser.add_argument("msi", metavar="MSI", help="the sharper, multispectral one")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="key.sub=value",
        help="how they are read: data.layout=chw observe.scale=4 ...")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Examine a pair; returns 0 where the two belong together, else 3."""
    from paddle_umsft.config.load import load_config
    from paddle_umsft.data.listing import list_scenes
    from paddle_umsft.machine.failures import in_one_line
    from paddle_umsft.runs.scene import case_lines, make_case

    overrides = [f"data.lr_hsi={arguments.hsi}", f"data.hr_msi={arguments.msi}", *arguments.set]
    config = load_config("fast.yml", overrides)
    entries = list_scenes(config.data)
    code = DONE
    for entry in entries:
        with in_one_line(entry.name):
            case = make_case(entry, config)
            seen = case.observation
            print("\n".join(case_lines(case, config)))
            for line in ground_lines(seen):
                print(line)
            verdict = examined(middle_of(seen), config)
        for line in verdict_lines(verdict, seen.scale):
            print(line)
        if not verdict.belong:
            code = BAD_DATA
    return code


def ground_lines(seen: Observation) -> Iterator[str]:
    """Yield what the two files say of where the images lie."""
    low, high = seen.hsi_facts, seen.msi_facts
    if low is None or high is None or not (low.ground.is_known and high.ground.is_known):
        yield "ground     not known of both: taken as the same area, corner on corner"
        return
    sizes = low.ground.pixel_size, high.ground.pixel_size
    assert sizes[0] is not None
    assert sizes[1] is not None
    ratio = sizes[0][0] / sizes[1][0]
    yield f"ground     pixels {sizes[0][0]:.6g} and {sizes[1][0]:.6g}, ratio {ratio:.4g}"
    if not _same_system(low.ground, high.ground):
        yield f"systems    differ: {_system_text(low.ground)} and {_system_text(high.ground)}"
        return
    boxes = [_box(low.ground, seen.lr_hsi.shape), _box(high.ground, seen.hr_msi.shape)]
    common = _common(*boxes)
    shares = [f"{common / _area(box):.0%} of the {name}" for name, box in zip(("HSI", "MSI"), boxes)]
    yield f"overlap    {' and '.join(shares)}"


def _same_system(low: Georeference, high: Georeference) -> bool:
    """Return whether both lie in one coordinate system, as far as their files tell."""
    if low.epsg is not None and high.epsg is not None:
        return low.epsg == high.epsg
    return low.crs_wkt == high.crs_wkt


def _system_text(ground: Georeference) -> str:
    """Return a coordinate system in a word."""
    if ground.epsg is not None:
        return f"EPSG:{ground.epsg}"
    return ground.crs_wkt[:40] or "none"


def _box(ground: Georeference, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return left, bottom, right, top of an image."""
    height, width = shape[:2]
    corners = [ground.at(column, row) for column in (0, width) for row in (0, height)]
    xs = [x for x, _ in corners]
    ys = [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _area(box: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = box
    return max(right - left, 0.0) * max(top - bottom, 0.0)


def _common(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    """Return the area that two boxes share."""
    left, bottom = max(first[0], second[0]), max(first[1], second[1])
    right, top = min(first[2], second[2]), min(first[3], second[3])
    return _area((left, bottom, right, top))


def middle_of(seen: Observation) -> Observation:
    """Return the middle of a large pair: it tells as well, and at once."""
    height, width = seen.lr_hsi.shape[:2]
    rows = _middle(height)
    columns = _middle(width)
    if (rows, columns) == (slice(0, height), slice(0, width)):
        return seen
    scale = seen.scale
    fine_rows = slice(rows.start * scale, rows.stop * scale)
    fine_columns = slice(columns.start * scale, columns.stop * scale)
    return replace(
        seen,
        lr_hsi=seen.lr_hsi[rows, columns],
        hr_msi=seen.hr_msi[fine_rows, fine_columns],
    )


def _middle(length: int) -> slice:
    """Return the middle of an axis, all of a short one."""
    if length <= LARGEST:
        return slice(0, length)
    first = (length - LARGEST) // 2
    return slice(first, first + LARGEST)


def examined(seen: Observation, config: Config) -> Verdict:
    """Look for what the two images have in common.

    Args:
        seen: The pair.
        config: Its sections `subspace` and `preparation` say what is looked for.
    """
    from paddle_umsft.preparation.coarse_shift import whole_shift
    from paddle_umsft.preparation.examine import examine
    from paddle_umsft.preparation.view import first_view

    view = first_view(seen.lr_hsi, seen.hr_msi, seen.scale)
    shift, share = whole_shift(view)
    notes: list[str] = []
    offset = None
    if share >= BELONG:
        prepared, degradations = examine(seen, config.subspace, config.preparation)
        notes = list(prepared.notes)
        # Fitted PSF and SRF explain more than the coarse search does, never less that counts.
        share = max(share, float(degradations.agreement))
        found = prepared.found.get("offset")
        if isinstance(found, list):
            offset = [float(value) for value in found]
    return Verdict(
        share=share,
        shift=(float(shift[0]), float(shift[1])),
        notes=tuple(notes),
        offset=offset,
    )


def verdict_lines(verdict: Verdict, scale: int) -> Iterator[str]:
    """Yield the verdict, the answer first."""
    if not verdict.belong:
        yield f"VERDICT    they do not belong together: the HSI explains {verdict.share:.0%} of the MSI"
    elif verdict.share < DOUBTFUL:
        yield f"VERDICT    doubtful: the HSI explains {verdict.share:.0%} of the MSI"
    else:
        yield f"VERDICT    they belong together: the HSI explains {verdict.share:.1%} of the MSI"
    rows, columns = verdict.shift
    if max(abs(rows), abs(columns)) >= SHIFT_WORTH_A_WORD * scale:
        yield f"shift      about {rows:g} rows and {columns:g} columns of the MSI"
    if verdict.offset is not None:
        listed = ", ".join(f"{value:.3g}" for value in verdict.offset)
        yield f"offset     a constant in the MSI's bands: {listed}"
    for note in verdict.notes:
        yield f"note       {note}"


CHECK = Command(
    name="check",
    summary="Say whether two images belong together: overlap, ratio, shift, correlation, offset. Exit 0 or 3.",
    add_options=add_options,
    run=run,
    details="Example:\n  %(prog)s hsi.hdr s2.tif && umsft fuse hsi.hdr s2.tif -o fused.tif",
)

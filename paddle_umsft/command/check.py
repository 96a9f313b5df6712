"""`umsft check`: whether two images belong together, before hours are spent on them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional

from paddle_umsft.command.base import BAD_DATA, DONE, Command
from paddle_umsft.command.grounds import ground_lines

if TYPE_CHECKING:
    import numpy as np

    from paddle_umsft.config.run import Config
    from paddle_umsft.data.grid import HsiGrid
    from paddle_umsft.data.scene import Observation

# At the best shift the HSI's spectra explain less than this share of the MSI: nothing more need be tried.
COMMON_GROUND = 0.3
# With everything undone that is found, PSF and SRF explain less than this share of the MSI, pixels counted that had to
# be left out for it: pairs of CAVE scenes that have nothing to do with each other come to 0.25, pairs of real sensors
# to 0.55 and more.
BELONG = 0.4
# Below this share something is wrong that need not be the place: another day, clouds, a shift too far to be found.
DOUBTFUL = 0.7
# LR pixels along a side that are looked at: enough to tell, and quick for a whole satellite scene.
LARGEST = 96
# A shift of this part of an LR pixel is worth a word: less is what two products of one agency differ by.
SHIFT_WORTH_A_WORD = 0.25
# From a pixel's edge to its middle.
HALF = 0.5
# An interpolated pixel holds data where all that it is made of does, but for rounding.
ALL_DATA = 0.999


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        share: Part of the MSI's variance that the HSI explains, 0 to 1, counting pixels that had to be left out.
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
    from paddle_umsft.data.masks import without_masked
    from paddle_umsft.machine.failures import in_one_line
    from paddle_umsft.runs.scene import case_lines, make_case

    overrides = [
        f"data.lr_hsi={arguments.hsi}",
        f"data.hr_msi={arguments.msi}",
        *arguments.set,
    ]
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
            seen = without_masked(seen)
            verdict = examined(middle_of(seen), config)
        for line in verdict_lines(verdict, seen.scale):
            print(line)
        if not verdict.belong:
            code = BAD_DATA
    return code


def middle_of(seen: Observation) -> Observation:
    """Return the middle of a large pair: it tells as well, and at once; on plain grids, whatever its own are."""
    height, width = seen.lr_hsi.shape[:2]
    rows = _middle(height)
    columns = _middle(width)
    scale = seen.scale
    if seen.grid is None:
        fine_rows = slice(rows.start * scale, rows.stop * scale)
        fine_columns = slice(columns.start * scale, columns.stop * scale)
        hr_msi = seen.hr_msi[fine_rows, fine_columns]
        mask_msi = seen.mask_msi
        if mask_msi is not None:
            mask_msi = mask_msi[fine_rows, fine_columns]
    else:
        hr_msi, mask_msi = _on_plain_grid(seen, seen.grid, rows, columns)
    mask_hsi = seen.mask_hsi
    if mask_hsi is not None:
        mask_hsi = mask_hsi[rows, columns]
    return replace(
        seen,
        lr_hsi=seen.lr_hsi[rows, columns],
        hr_msi=hr_msi,
        mask_hsi=mask_hsi,
        mask_msi=mask_msi,
        grid=None,
    )


def _on_plain_grid(
    seen: Observation,
    grid: HsiGrid,
    rows: slice,
    columns: slice,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the MSI as it would be with `scale` pixels in each of the HSI's, and where it holds data.

    It is interpolated, which is good enough to tell whether two images are of one place.
    """
    import numpy as np
    from scipy.ndimage import map_coordinates

    scale = seen.scale
    # Middles of the finer pixels, in HSI pixels; then on the MSI, in indices.
    down = (np.arange(rows.start * scale, rows.stop * scale) + HALF) / scale
    right = (np.arange(columns.start * scale, columns.stop * scale) + HALF) / scale
    own = np.stack(np.meshgrid(down, right, indexing="ij"), axis=2)  # (H, W, 2)
    places = own @ grid.matrix.T + grid.origin - HALF
    index = np.moveaxis(places, 2, 0)
    bands = []
    for band in range(seen.msi_bands):
        bands.append(map_coordinates(seen.hr_msi[:, :, band], index, order=1, mode="nearest"))
    has_data = np.ones(seen.shape)
    if seen.mask_msi is not None:
        has_data = seen.mask_msi.astype(np.float64)
    share = map_coordinates(has_data, index, order=1, mode="constant", cval=0.0)
    return np.stack(bands, axis=2).astype(np.float32), share > ALL_DATA


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
    from paddle_umsft.preparation.masked import lr_pixels_to_fit
    from paddle_umsft.preparation.view import first_view

    view = first_view(seen.lr_hsi, seen.hr_msi, seen.scale)
    shift, share = whole_shift(view)
    notes: list[str] = []
    offset = None
    if share >= COMMON_GROUND:
        prepared, degradations = examine(seen, config.subspace, config.preparation)
        notes = list(prepared.notes)
        # Any two images agree on the few pixels that are left where most were taken for strangers.
        kept = float(prepared.fit_trust[lr_pixels_to_fit(seen)].mean())
        share = max(float(degradations.agreement), 0.0) * kept
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

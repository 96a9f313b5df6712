"""The plan of a large pair of files before any of their values are read: what cannot fit is refused by then."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from paddle_umsft.cameras.given import size_of_pair
from paddle_umsft.config.run import Config
from paddle_umsft.data.heads import heads_of_pair
from paddle_umsft.data.listing import SceneEntry
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError, UmsftError
from paddle_umsft.runs.row_plan import lines_of, plan_pieces
from paddle_umsft.runs.strip_plan import StripPlan, check_disk, goes_by_strips
from paddle_umsft.runs.writers.by_rows import check_by_rows
from paddle_umsft.runs.writers.table import settled_format

# Bands that hold nothing show once they are read, and are left out then: a pair that would fit without so many of its
# bands is not refused before.
FEWEST_USED = 0.9


@dataclass(frozen=True)
class AheadPlan:
    """What is said of a large scene before it is read.

    Attributes:
        plan: In which strips, if nothing else turns up in the values.
        lines: The same in words.
    """

    plan: StripPlan
    lines: list[str]


def plan_ahead(
    entry: SceneEntry,
    config: Config,
    folder: Path,
    format: str,
) -> Optional[AheadPlan]:
    """Plan a scene by the heads of its files.

    Args:
        entry: The scene.
        config: All settings.
        folder: Where what is on the way will lie.
        format: Of the result, or auto.

    Returns:
        The plan; None where the scene is no pair of files, is fused as a whole, or has to be read before it can be
        planned.

    Raises:
        ConfigError: It goes by strips, and the format does not.
        DataError: It does not fit, into memory or on the disk.
    """
    pair = _sizes_of(entry, config)
    if pair is None:
        return None
    try:
        plan = _plan(pair, config, folder)
    except DataError:
        fewest = math.ceil(FEWEST_USED * pair.bands)
        if _is_refused(replace(pair, lr_hsi=pair.lr_hsi[:, :, :fewest]), config, folder):
            raise
        return None
    if plan is None:
        return None
    settled, _ = settled_format(format, pair)
    check_by_rows(settled)
    return AheadPlan(plan=plan, lines=lines_of(pair, plan, folder, config))


def _sizes_of(entry: SceneEntry, config: Config) -> Optional[Observation]:
    """Return a scene's pair with images that only have their sizes; None where that cannot be known."""
    if not entry.settings.is_pair:
        return None
    try:
        images = heads_of_pair(entry.settings)
        if images is None:
            return None
        return size_of_pair(images, config.observe, entry.name)
    except UmsftError:
        # What is wrong with it is said when it is read.
        return None


def _plan(pair: Observation, config: Config, folder: Path) -> Optional[StripPlan]:
    """Return the plan of a pair; None where it is fused as a whole.

    Raises:
        DataError: It does not fit.
    """
    if not goes_by_strips(pair, config):
        return None
    plan = plan_pieces(pair, config)
    check_disk(folder, plan)
    return plan


def _is_refused(pair: Observation, config: Config, folder: Path) -> bool:
    """Return whether a pair does not fit."""
    try:
        _plan(pair, config, folder)
    except DataError:
        return True
    return False

"""Processes of one launch that have nothing left of their own: they take pieces of the others' large scenes."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import SceneEntry
from paddle_umsft.machine.failures import in_one_line
from paddle_umsft.methods.table import find_method
from paddle_umsft.runs.folder import read_metrics
from paddle_umsft.runs.large_run import WORK
from paddle_umsft.runs.lock import is_at_work
from paddle_umsft.runs.log import LOGGER
from paddle_umsft.runs.run_share import share_of_work
from paddle_umsft.runs.scene import fuse_scene
from paddle_umsft.runs.shown import only_a_warning
from paddle_umsft.runs.strips import PLAN

# Processes of one launch begin within so long of each other.
PATIENCE_SECONDS = 20.0
PAUSE_SECONDS = 0.2


def help_others(
    entries: Sequence[SceneEntry],
    config: Config,
    folder: Path,
    *,
    debug: bool,
) -> None:
    """Work on strips or tiles of scenes that other processes of the launch have begun, until none is left.

    What goes wrong here is the scene's own process's to say.

    Args:
        entries: All scenes of the run, in their order.
        config: All settings.
        folder: The run's.
        debug: More in the log.
    """
    rank, size = share_of_work()
    method = find_method(config.method)
    if size == 1 or (method.by_strips is None and (method.memory_of is None or config.runtime.tile == "none")):
        return
    # Networks mostly take scenes as a whole: then nobody waits for what may never be cut into tiles.
    is_patient = method.by_strips is not None or isinstance(config.runtime.tile, int)
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = {}
    for place, entry in enumerate(entries):
        if place % size != rank:
            waiting[entry.name] = (entry, place % size)
    while waiting:
        for name, (entry, owner) in list(waiting.items()):
            scene = folder / name
            if (scene / WORK / PLAN).is_file():
                with only_a_warning(f"help with {name}", logging.getLogger(LOGGER)), in_one_line(name):
                    fuse_scene(entry, config, scene, debug=debug)
                del waiting[name]
            elif read_metrics(scene) is not None:
                del waiting[name]
            elif time.monotonic() > deadline and not (is_patient and is_at_work(folder, owner)):
                # It has failed, or its process is gone: --resume does it again.
                del waiting[name]
        time.sleep(PAUSE_SECONDS)

"""Going on with a scene: from its newest whole checkpoint, past damaged ones, or from the start."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.networks.trained import Trained
from paddle_umsft.methods.table import start_trained
from paddle_umsft.runs.checkpoint import DamagedCheckpointError, list_checkpoints, load_checkpoint

# What a damaged checkpoint is called from then on: out of the way of those to come, and still there to be looked at.
DAMAGED = ".damaged"


@dataclass(frozen=True)
class Started:
    """A trained method, ready for its next step.

    Attributes:
        method: As it stands.
        resumed: Whether it goes on from a checkpoint.
    """

    method: Trained
    resumed: bool


def start_or_resume(
    observation: Observation,
    config: Config,
    folder: Path,
    log: logging.Logger,
) -> Started:
    """Make a method ready, going on from the newest checkpoint of the folder that is whole.

    Args:
        observation: What the two cameras saw.
        config: All settings.
        folder: The scene's.
        log: Is told from where it goes on, and what was damaged.

    Raises:
        CheckpointError: A whole checkpoint belongs to something else.
        UmsftError: The method cannot be made.
    """
    any_damaged = False
    for checkpoint in reversed(list_checkpoints(folder)):
        # A fresh one for each: a checkpoint that breaks off may have been taken up in part.
        method = start_trained(observation, config, weights=False)
        try:
            load_checkpoint(checkpoint, method, config)
        except DamagedCheckpointError as error:
            any_damaged = True
            log.warning("%s; set aside as %s", error, _set_aside(checkpoint))
            continue
        log.info("resumed    %s", checkpoint)
        return Started(method, resumed=True)
    if any_damaged:
        log.warning("no whole checkpoint is left: from the start")
    return Started(start_trained(observation, config), resumed=False)


def _set_aside(checkpoint: Path) -> str:
    """Rename a damaged checkpoint; return its new name."""
    aside = checkpoint.with_name(checkpoint.name + DAMAGED)
    shutil.rmtree(aside, ignore_errors=True)
    os.replace(checkpoint, aside)
    return aside.name

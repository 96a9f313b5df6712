"""A whole run: scenes in, results on the disk out. What `tools/train.py` calls."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from paddle_umsft.cameras.psf import check_psf_type
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import SceneEntry, list_scenes
from paddle_umsft.errors import CheckpointError, ConfigError, StoppedError, UmsftError
from paddle_umsft.machine.failures import as_own_error, in_one_line
from paddle_umsft.machine.paddle_build import check_paddle_is_there
from paddle_umsft.machine.plain_files import is_plain
from paddle_umsft.methods.table import find_method
from paddle_umsft.metrics import find_convention
from paddle_umsft.runs.begun_with import check_untouched
from paddle_umsft.runs.folder import (
    CONFIG,
    LOG,
    METRICS,
    check_configuration,
    claim_run_folder,
    finished_scenes,
    keep_configuration,
    list_checkpoints,
    scene_folders,
    write_summary,
)
from paddle_umsft.runs.helping import help_others
from paddle_umsft.runs.lock import only_run_in
from paddle_umsft.runs.log import LOGGER
from paddle_umsft.runs.page import REPORT
from paddle_umsft.runs.progress import scene_line
from paddle_umsft.runs.run_page import Outlook, write_run_report
from paddle_umsft.runs.run_share import share_of_work, threads_shared
from paddle_umsft.runs.scene import SceneOutcome, fuse_scene
from paddle_umsft.runs.shown import only_a_warning, show_means
from paddle_umsft.runs.stopping import termination_is_heard
from paddle_umsft.runs.writers.table import check_format


def fuse_all(
    config: Config,
    folder: Path,
    *,
    quiet: bool = False,
    debug: bool = False,
) -> list[SceneOutcome]:
    """Fuse every scene of a run, one after another; one that fails does not stop the others.

    Under paddle.distributed.launch each process takes every size-th scene, and then helps with strips of large ones.

    Args:
        config: All settings.
        folder: The run's folder.
        quiet: No progress bar.
        debug: More in the log.

    Raises:
        StoppedError: If the user or the system stopped it.
        CheckpointError: If the folder holds scenes made with another configuration.
        DataError: If another run is at work in the folder.
        UmsftError: If there is no scene at all, or the only one fails.
    """
    entries = list_scenes(config.data)
    rank, size = share_of_work()
    with termination_is_heard(), only_run_in(folder, rank, size), threads_shared():
        outcomes = _fuse_share(entries, config, folder, quiet=quiet, debug=debug)
        help_others(entries, config, folder, debug=debug)
        if not all(outcome.skipped for outcome in outcomes):
            show_means(folder, config, logging.getLogger(LOGGER))
    return outcomes


def _fuse_share(
    entries: Sequence[SceneEntry],
    config: Config,
    folder: Path,
    *,
    quiet: bool,
    debug: bool,
) -> list[SceneOutcome]:
    """Fuse the scenes that are this process's, the folder being its own."""
    rank, size = share_of_work()
    for scene in scene_folders(folder):
        check_configuration(scene, config)
    if rank == 0:
        keep_configuration(folder, config)
    outcomes: list[SceneOutcome] = []
    unwritten: Optional[UmsftError] = None
    share = entries[rank::size]
    seconds: list[float] = []
    if rank == 0 and len(entries) > 1 and not (folder / REPORT).exists():
        # There is a page from the start; one that cannot be written is said after the first scene.
        _overview_refused(folder, config, outcomes, _outlook(len(entries), outcomes, seconds))
    for place, entry in enumerate(share, start=1):
        if len(share) > 1:
            print(scene_line(place, len(share), entry.name, seconds))
        started = time.perf_counter()
        try:
            with in_one_line(entry.name):
                outcome = fuse_scene(entry, config, folder / entry.name, quiet=quiet, debug=debug)
            if outcome.skipped:
                print(f"{entry.name}: finished before, skipped")
        except StoppedError:
            raise
        except Exception as failure:
            if len(entries) == 1:
                raise
            if debug:
                traceback.print_exc()
            error = as_own_error(failure)
            print(f"{entry.name} failed: {error}", file=sys.stderr)
            outcome = SceneOutcome(entry.name, error=error)
        outcomes.append(outcome)
        if not outcome.skipped:
            seconds.append(time.perf_counter() - started)
            outlook = _outlook(len(entries), outcomes, seconds)
            unwritten = _overview_refused(folder, config, outcomes, outlook)
    if outcomes and all(outcome.skipped for outcome in outcomes):
        # Once for all that were finished before: after each of them it would read all others once more.
        outlook = _outlook(len(entries), outcomes, seconds)
        unwritten = _overview_refused(folder, config, outcomes, outlook)
    if unwritten is not None:
        raise unwritten
    return outcomes


def _outlook(scenes: int, outcomes: Sequence[SceneOutcome], seconds: Sequence[float]) -> Outlook:
    """Return what the run's page says of the scenes to come."""
    _, size = share_of_work()
    pace = None
    if seconds:
        pace = sum(seconds) / len(seconds)
    return Outlook(
        scenes=scenes,
        failed=sum(outcome.error is not None for outcome in outcomes),
        seconds=pace,
        at_once=size,
    )


def _overview_refused(
    folder: Path,
    config: Config,
    outcomes: Sequence[SceneOutcome],
    outlook: Outlook,
) -> Optional[UmsftError]:
    """Write the overview; return why it cannot be: the scenes to come matter more, and it is tried again."""
    try:
        write_overview(folder, config, outcomes, outlook)
    except UmsftError as error:
        return error
    return None


def write_overview(
    folder: Path,
    config: Config,
    outcomes: Sequence[SceneOutcome],
    outlook: Optional[Outlook] = None,
) -> None:
    """Write summary.csv and report.html of all finished scenes, also of those that other processes finished.

    Args:
        folder: The run's.
        config: All settings.
        outcomes: How the scenes ended that this process has fused.
        outlook: What is still to come.

    Raises:
        DataError: If they cannot be written.
    """
    failed = {outcome.name: str(outcome.error) for outcome in outcomes if outcome.error is not None}
    written = None
    with in_one_line(str(folder)):
        # Once more if another process finished a scene meanwhile: its overview may have been replaced by this one.
        while written != (now := set(finished_scenes(folder))):
            write_summary(folder)
            if config.output.figures:
                with only_a_warning("page of the run", logging.getLogger(LOGGER)):
                    write_run_report(folder, config, failed, outlook)
            written = now


def check_names(config: Config) -> None:
    """Check what a configuration names out of a table, before anything is read or made.

    Raises:
        ConfigError: No such method, convention or PSF, the nearest known one is suggested; or a file or a method that
            needs a package which is not installed.
    """
    if find_method(config.method).needs_paddle:
        check_paddle_is_there()
    find_convention(config.evaluate.convention, where="evaluate.convention")
    check_psf_type(config.observe.psf)
    check_format(config.output.format)


def open_run(
    config_name: Optional[str],
    overrides: Sequence[str],
    device: Optional[str],
    output: Optional[str],
    resume: Optional[str],
) -> tuple[Config, Path]:
    """Settle configuration and folder of a new or a resumed run.

    Args:
        config_name: File or bare name; may be left out when resuming.
        overrides: `key.sub=value`.
        device: Instead of `runtime.device`.
        output: Instead of `output.root`.
        resume: Folder of an earlier run.

    Raises:
        ConfigError: If neither is given, or something is wrong with them.
        CheckpointError: If the folder to resume holds no run, or another configuration than it was begun with.
        DataError: If the output folder cannot be written to.
    """
    extra = list(overrides)
    if device:
        extra.append(f"runtime.device={device}")
    if resume is not None:
        folder = Path(resume).expanduser()
        if not is_plain(folder / CONFIG):
            hint = "give the folder of the run, such as output/demo"
            raise CheckpointError("no run to resume: no config.yml in there", where=folder, hint=hint)
        if config_name is not None:
            raise ConfigError("a resumed run has its own configuration", where="--resume", hint="leave -c out")
        if output is not None:
            raise ConfigError("a resumed run stays in its folder", where="--resume", hint="leave --output out")
        check_untouched(folder / CONFIG, load_config(folder / CONFIG))
        config = load_config(folder / CONFIG, extra)
        check_names(config)
        if _is_of_a_scene(folder):
            folder = folder.parent
        return config, folder
    if config_name is None:
        raise ConfigError("no configuration", where="-c", hint="python tools/train.py -c demo.yml")
    config = load_config(config_name, extra)
    check_names(config)
    if output is not None:
        config.output.root = output
    list_scenes(config.data)  # before a folder is made: a wrong path should leave nothing behind
    _, processes = share_of_work()
    return config, claim_run_folder(config, shared=processes > 1)


def _is_of_a_scene(folder: Path) -> bool:
    """Whether a folder to resume is that of a scene, whose run is the folder above."""
    if (folder / METRICS).is_file() or list_checkpoints(folder):
        return True
    # Stopped before its first checkpoint.
    return (folder / LOG).is_file() and (folder.parent / CONFIG).is_file()


def run(
    config: Optional[str] = None,
    overrides: Sequence[str] = (),
    *,
    device: Optional[str] = None,
    output: Optional[str] = None,
    resume: Optional[str] = None,
    quiet: bool = False,
) -> list[SceneOutcome]:
    """Fuse the scenes of a configuration and write everything: `python tools/train.py` as a call.

    Args:
        config: File or bare name, such as "cave.yml"; may be left out when resuming.
        overrides: `key.sub=value`.
        device: Instead of `runtime.device`.
        output: Folder of all runs.
        resume: Folder of an earlier run to go on with; finished scenes are skipped.
        quiet: No progress bar.

    Returns:
        How each scene ended.

    Raises:
        StoppedError: If the user stopped it.
        UmsftError: If there is no scene at all, or the only one fails.
    """
    settings, folder = open_run(config, overrides, device, output, resume)
    return fuse_all(settings, folder, quiet=quiet)

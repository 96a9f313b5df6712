"""One scene of a run: read or simulated, fused, assessed, written."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.cameras.given import pair_from_files
from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.run import Config
from paddle_umsft.data.checks import check_minimum_size
from paddle_umsft.data.listing import SceneEntry
from paddle_umsft.data.reading import read_pair, read_scene
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.errors import UmsftError
from paddle_umsft.machine.environment import import_paddle
from paddle_umsft.machine.plain_files import is_plain
from paddle_umsft.methods.table import Input, find_method, input_of, run_method, tiles_for
from paddle_umsft.runs.assess import assess, result_table
from paddle_umsft.runs.folder import (
    METRICS,
    check_configuration,
    check_own_folder,
    keep_configuration,
    list_checkpoints,
    read_metrics,
    save_arrays,
    write_history,
    write_metrics,
)
from paddle_umsft.runs.handed import Handed
from paddle_umsft.runs.inputs import Facts, check_same_input, input_facts, keep_input, kept_input
from paddle_umsft.runs.large_run import WORK, check_given, fuse_and_write_large
from paddle_umsft.runs.large_scene import fuse_large
from paddle_umsft.runs.large_tiles import fuse_large_by_tiles
from paddle_umsft.runs.log import logging_to
from paddle_umsft.runs.plan_ahead import plan_ahead
from paddle_umsft.runs.results import FILES, damage, result_sums
from paddle_umsft.runs.run_share import share_of_work
from paddle_umsft.runs.shown import close_curves, open_curves, show_finished
from paddle_umsft.runs.strip_plan import StripPlan, goes_by_strips
from paddle_umsft.runs.tiles import fuse_by_tiles, plan_at_work
from paddle_umsft.runs.trust import log_verdict, save_expected_error, weighed_by_truth, with_verdict
from paddle_umsft.runs.writers.table import settled_format


@dataclass(frozen=True)
class SceneOutcome:
    """How one scene ended.

    Attributes:
        name: The scene.
        metrics: Content of its metrics.json; None if it failed.
        error: Why it failed.
        skipped: It was finished before.
    """

    name: str
    metrics: Optional[dict[str, Any]] = None
    error: Optional[UmsftError] = None
    skipped: bool = False


def make_case(entry: SceneEntry, config: Config) -> Case:
    """Read a scene and simulate both cameras, or read a given pair."""
    if not entry.settings.is_pair:
        scene = read_scene(entry.settings, entry.name)
        return simulate(scene, config.observe, config.seed)
    images = read_pair(entry.settings)
    return pair_from_files(images, config.observe, entry.name)


def case_lines(case: Case, config: Config) -> list[str]:
    """Lines for the log on what is about to be fused."""
    seen = case.observation
    meta = seen.meta
    height, width = seen.shape
    low_height, low_width = seen.lr_hsi.shape[:2]
    source = f", {meta['source']}" if meta.get("source") else ""
    lines = [f"scene      {seen.name}: {height}x{width}, {seen.bands} bands{source}"]
    if "divisor" in meta:
        lines.append(f"values     divided by {meta['divisor']:g} (normalise: {meta['normalise']})")
    lines.append(
        f"observed   LR-HSI {low_height}x{low_width}x{seen.bands}, "
        f"HR-MSI {height}x{width}x{seen.msi_bands}, scale {seen.ratio}"
    )
    lines.append(_simulation_line(meta, config))
    known = [name for name, value in (("PSF", seen.psf), ("SRF", seen.srf)) if value is not None]
    lines.append(f"known      {' and '.join(known) or 'neither PSF nor SRF (blind)'}")
    lines += [f"note       {note}" for note in meta.get("notes", [])]
    return lines


def _simulation_line(meta: dict[str, Any], config: Config) -> str:
    if not meta.get("simulated"):
        return "simulated  no: a given pair, there is no truth to compare with"
    psf = config.observe.psf
    shape = "x".join(str(length) for length in meta["psf_shape"])
    sigma = f", sigma {psf.sigma:g}" if psf.sigma else ""
    noise = [_decibels(meta.get(name)) for name in ("snr_hsi_db", "snr_msi_db")]
    return f"simulated  PSF {psf.type} {shape}{sigma}; SRF {config.observe.srf}; noise HSI, MSI: {', '.join(noise)}"


def _decibels(snr_db: Optional[float]) -> str:
    return "none" if snr_db is None else f"{snr_db:g} dB"


def _fuse(
    case: Case,
    given: Optional[Input],
    config: Config,
    folder: Path,
    log: logging.Logger,
    writer: Any,
    quiet: bool,
) -> FusionResult:
    """Fuse; a trained method, which has been given its pair, with checkpoints and everything that watches it."""
    if given is None:
        result = run_method(case.observation, config)
        write_history(folder, result.history)
        return result
    from paddle_umsft.runs.watched import fuse_watched  # brings Paddle along

    return fuse_watched(case, given, config, folder, log, writer, quiet)


def fuse_scene(
    entry: SceneEntry,
    config: Config,
    folder: Path,
    *,
    quiet: bool = False,
    debug: bool = False,
) -> SceneOutcome:
    """Fuse one scene and write its folder; metrics.json comes after the results and means that the scene is finished.

    A scene that is finished already is not fused again, unless a result is no longer what was written.

    Raises:
        StoppedError: If the user stopped it; a checkpoint was saved where the method has any.
        DataError: If the data are no longer those that the folder was begun with.
        UmsftError: If the scene cannot be read or fused, or results cannot be written.
    """
    check_own_folder(folder)
    check_configuration(folder, config)
    finished = read_metrics(folder)
    said: Optional[StripPlan] = None
    if finished is None:
        said = _planned_ahead(entry, config, folder, debug)
    seen = _input_of(entry, config, folder, is_finished=finished is not None)
    damaged = None
    if finished is None and is_plain(folder / METRICS):
        damaged = f"{METRICS} is not what was written"
    if finished is not None:
        damaged = damage(folder, finished, config)
        if damaged is None:
            return SceneOutcome(
                name=entry.name,
                metrics=finished,
                skipped=True,
            )
    case = make_case(entry, config)
    method = find_method(config.method)
    check_minimum_size(case.observation.shape, method.smallest)
    by_strips = goes_by_strips(case.observation, config)
    if by_strips:
        check_given(case)
    with logging_to(folder, debug) as log:
        keep_configuration(folder, config)
        keep_input(folder, seen)
        if damaged is not None:
            log.warning("finished before, but %s: made again", damaged)
        for line in case_lines(case, config):
            log.info("%s", line)
        if by_strips:
            fuse = partial(fuse_large, said=said)
            handed = Handed(case.observation)
            del case
            made = fuse_and_write_large(handed, config, folder, seen, log, fuse)
        else:
            made = _fuse_and_write(case, config, folder, seen, log, quiet)
        if made is None:
            return SceneOutcome(
                name=entry.name,
                metrics=read_metrics(folder),
                skipped=True,
            )
        metrics = made
        for line in result_table(metrics):
            log.info("%s", line)
        log.info("results    %s", folder)
    return SceneOutcome(name=entry.name, metrics=metrics)


def _planned_ahead(
    entry: SceneEntry,
    config: Config,
    folder: Path,
    debug: bool,
) -> Optional[StripPlan]:
    """Say how a large pair will be worked on before it is read; return the plan, None where none was said.

    Raises:
        UmsftError: It does not fit.
    """
    ahead = plan_ahead(entry, config, folder / WORK, config.output.format)
    if ahead is None:
        return None
    with logging_to(folder, debug) as log:
        for line in ahead.lines:
            log.info("%s", line)
    return ahead.plan


def _input_of(
    entry: SceneEntry,
    config: Config,
    folder: Path,
    *,
    is_finished: bool,
) -> Facts:
    """Return what is to be kept of a scene's data, which must be what its folder was begun with.

    Raises:
        DataError: They have changed, or cannot be read.
    """
    kept = kept_input(folder)
    trusted = None
    if is_finished:
        trusted = kept
    seen = input_facts(entry, config, trusted)
    # Where nothing was done yet, what was wrong with the data may have been mended.
    begun = is_finished or list_checkpoints(folder)
    if begun and kept is not None:
        check_same_input(folder, kept, seen)
    return seen


def _fuse_and_write(
    case: Case,
    config: Config,
    folder: Path,
    seen: Facts,
    log: logging.Logger,
    quiet: bool,
) -> Optional[dict[str, Any]]:
    """Fuse and write everything; return the content of metrics.json, None if another process has written it."""
    method = find_method(config.method)
    given: Optional[Input] = None
    if method.trained is not None:
        if method.needs_paddle:
            import_paddle()  # quietly, and with an error of one line
        given = input_of(case.observation, config)
        plan = tiles_for(given.observation, config)
        if plan is None and config.runtime.tile == "auto":
            plan = plan_at_work(folder / WORK)
        if plan is not None:
            if read_metrics(folder) is not None and not (folder / WORK).is_dir():
                # Finished by another process while this one read the data.
                return None
            if plan.by_rows:
                check_given(case)
                fuse = partial(fuse_large_by_tiles, given, plan)
                return fuse_and_write_large(Handed(case.observation), config, folder, seen, log, fuse)
            rank, size = share_of_work()
            return fuse_by_tiles(
                given,
                plan,
                config,
                folder / WORK,
                facts={"files": seen},
                write=lambda done: _write_tiled(case, given.told_in(done.whole()), config, folder, log),
                first_share=rank / size,
                say=lambda line: log.info("%s", line),
            )
    writer = None
    if config.output.visualdl:
        writer = open_curves(folder, config, log)
    try:
        result = _fuse(case, given, config, folder, log, writer, quiet)
        return _write(case, result, config, folder, log, writer)
    finally:
        close_curves(writer, log)


def _write_tiled(
    case: Case,
    result: FusionResult,
    config: Config,
    folder: Path,
    log: logging.Logger,
) -> dict[str, Any]:
    """Write what was trained tile by tile. Its curves would be those of many networks: there are none."""
    write_history(folder, result.history)
    return _write(case, result, config, folder, log, writer=None)


def _write(
    case: Case,
    result: FusionResult,
    config: Config,
    folder: Path,
    log: logging.Logger,
    writer: Any,
) -> dict[str, Any]:
    """Assess a result and write everything; return the content of metrics.json."""
    metrics = assess(case, result, config)
    result = weighed_by_truth(result, metrics)
    metrics = with_verdict(metrics, result)
    log_verdict(result, log)
    format, note = settled_format(config.output.format, case.observation)
    if note is not None:
        log.warning("note       %s", note)
    save_arrays(folder, case, result, format)
    if config.output.trust:
        save_expected_error(folder, case.observation, result, format)
    # What comes after this can no longer cost the scene: it is finished.
    metrics[FILES] = result_sums(folder)
    write_metrics(folder, metrics)
    show_finished(case, result, metrics, config, folder, log, writer)
    return metrics

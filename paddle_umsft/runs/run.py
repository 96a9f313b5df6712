"""A whole run: scenes in, results on the disk out. What `tools/train.py` calls."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.observe import pair, simulate
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.checks import check_minimum_size
from paddle_umsft.data.readers import SceneEntry, list_scenes, read_pair, read_scene
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.errors import CheckpointError, ConfigError, DataError, UmsftError
from paddle_umsft.machine.environment import import_paddle
from paddle_umsft.machine.failures import in_one_line
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic
from paddle_umsft.methods.table import run_method
from paddle_umsft.metrics import evaluate
from paddle_umsft.metrics.no_reference import consistency
from paddle_umsft.runs.folder import (
    CONFIG,
    check_configuration,
    claim_run_folder,
    finished_scenes,
    keep_configuration,
    list_checkpoints,
    read_metrics,
    save_arrays,
    scene_folders,
    write_json,
    write_safely,
    write_summary,
)
from paddle_umsft.runs.report import write_run_report

LOGGER = "paddle_umsft"


class Interrupted(Exception):
    """The user stopped the run; what was done is saved."""


class LogFile(logging.FileHandler):
    """log.txt. A full disk is said once, in one line, and the log goes on on the screen alone."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say why a line cannot be written, the first time."""
        if not getattr(self, "_said", False):
            self._said = True
            print(f"{self.baseFilename}: no longer written, got {sys.exc_info()[1]}", file=sys.stderr)

    def close(self) -> None:
        """Close; what cannot be written by now is on the screen."""
        with suppress(OSError):
            super().close()


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
    if entry.settings.is_pair:
        images = read_pair(entry.settings)
        return pair(
            images.lr_hsi,
            images.hr_msi,
            config.observe,
            name=entry.name,
            wavelengths_nm=images.wavelengths_nm,
            meta=images.meta,
        )
    return simulate(read_scene(entry.settings, entry.name), config.observe, config.seed)


@contextmanager
def logging_to(folder: Path, debug: bool) -> Iterator[logging.Logger]:
    """Log to the screen and to `log.txt` in the folder."""
    log = logging.getLogger(LOGGER)
    log.setLevel(logging.DEBUG if debug else logging.INFO)
    log.propagate = False
    screen = logging.StreamHandler(sys.stdout)
    screen.setFormatter(logging.Formatter("%(message)s"))
    handlers: list[logging.Handler] = [screen]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = LogFile(folder / "log.txt", encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        handlers.append(file)
    except OSError as error:
        raise DataError("output folder not writable", where=folder, got=error, hint="--output DIR") from None
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield log
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def describe(case: Case, config: Config) -> list[str]:
    """Lines on what is about to be done."""
    seen, meta = case.observation, case.observation.meta
    height, width = seen.shape
    lines = [
        f"scene      {seen.name}: {height}x{width}, {seen.bands} bands"
        + (f", {meta['source']}" if meta.get("source") else ""),
        f"values     divided by {meta['divisor']:g} (normalise: {meta['normalise']})" if "divisor" in meta else "",
        f"observed   LR-HSI {seen.lr_hsi.shape[0]}x{seen.lr_hsi.shape[1]}x{seen.bands}, "
        f"HR-MSI {height}x{width}x{seen.msi_bands}, scale {seen.scale}",
    ]
    if meta.get("simulated"):
        psf, noise = config.observe.psf, [meta.get("snr_hsi_db"), meta.get("snr_msi_db")]
        shape = "x".join(str(n) for n in meta["psf_shape"])
        sigma = f", sigma {psf.sigma:g}" if psf.sigma else ""
        lines.append(f"simulated  PSF {psf.type} {shape}{sigma}; SRF {config.observe.srf}; noise HSI, MSI: "
                     + ", ".join("none" if snr is None else f"{snr:g} dB" for snr in noise))  # fmt: skip
    else:
        lines.append("simulated  no: a given pair, there is no truth to compare with")
    known = [name for name, value in (("PSF", seen.psf), ("SRF", seen.srf)) if value is not None]
    lines.append(f"known      {' and '.join(known) if known else 'neither PSF nor SRF (blind)'}")
    lines += [f"note       {note}" for note in meta.get("notes", [])]
    return [line for line in lines if line]


def assess(case: Case, fused: np.ndarray, config: Config, result: FusionResult) -> dict[str, Any]:
    """Metrics of the result and of bicubic against the truth, where there is one; what metrics.json holds."""
    seen = case.observation
    content: dict[str, Any] = {
        "scene": seen.name,
        "method": result.method,
        "convention": config.evaluate.convention,
        "scale": seen.scale,
        "seconds": round(result.seconds, 3),
        "seed": config.seed,
        "config": config.digest(),
    }
    if case.reference is not None:
        bicubic = fuse_bicubic(seen, config).fused
        for name, cube in (("fused", fused), ("bicubic", bicubic)):
            content[name] = evaluate(
                case.reference, cube, scale=seen.scale, convention=config.evaluate.convention
            )
    if result.psf is not None and result.srf is not None:
        # A method's own degradations may be nonlinear; what is stored as PSF and SRF is what is checked.
        content["consistency"] = consistency(
            seen.lr_hsi,
            seen.hr_msi,
            degraded_hsi=SpatialDegradation(result.psf, seen.scale).forward(fused.astype(np.float64)),
            degraded_msi=SpectralDegradation(result.srf).forward(fused.astype(np.float64)),
        )
    content["observation"] = seen.meta
    content["extras"] = {k: v for k, v in result.extras.items() if isinstance(v, (int, float, str, list, tuple))}
    return content


def _write_history(folder: Path, history: Sequence[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(key for record in history for key in record))
    lines = [",".join(columns)] + [",".join(str(record.get(key, "")) for key in columns) for record in history]
    write_safely(folder / "history.csv", lambda path: path.write_text("\n".join(lines) + "\n", encoding="utf-8"))


def _fuse(case: Case, config: Config, folder: Path, log: logging.Logger, writer: Any, quiet: bool) -> FusionResult:
    """Fuse; UMSFT with checkpoints and everything that watches it."""
    if config.method != "umsft":
        result = run_method(case.observation, config)
        for note in result.extras.get("notes", ()):
            log.warning("note       %s", note)
        _write_history(folder, result.history)
        return result
    import_paddle()  # quietly, where tools/train.py has not done so
    from paddle_umsft.runs.watched import fuse_watched

    return fuse_watched(case, config, folder, log, writer, quiet)


def fuse_scene(
    entry: SceneEntry, config: Config, folder: Path, *, quiet: bool = False, debug: bool = False
) -> SceneOutcome:
    """Fuse one scene and write its folder; metrics.json comes last and means that the scene is finished.

    Raises:
        UmsftError: If the scene cannot be read or fused, or results cannot be written.
        Interrupted: If the user stopped it; a checkpoint was saved where the method has any.
    """
    finished = read_metrics(folder)
    check_configuration(folder, config)
    if finished is not None:
        return SceneOutcome(entry.name, finished, skipped=True)
    case = make_case(entry, config)
    if config.method == "umsft":
        check_minimum_size(case.observation.shape)
    with logging_to(folder, debug) as log:
        keep_configuration(folder, config)
        for line in describe(case, config):
            log.info("%s", line)
        from paddle_umsft.runs.visualdl import add_history, add_hparams, add_pictures, open_log

        writer = open_log(folder, log) if config.output.visualdl else None
        try:
            result = _fuse(case, config, folder, log, writer, quiet)
            metrics = assess(case, result.fused, config, result)
            save_arrays(folder, case, result, config.output.format)
            if config.output.figures:
                from paddle_umsft.runs.pictures import write_pictures

                write_pictures(case, result, metrics, config, folder)
            if writer is not None:
                if config.method != "umsft":
                    add_history(writer, result.history)
                    add_pictures(writer, 0, case, result.fused, result.psf, result.srf)
                add_hparams(writer, config, case.observation.scale, metrics.get("fused") or {})
        finally:
            if writer is not None:
                writer.close()
        write_json(folder / "metrics.json", metrics)
        for line in result_table(metrics):
            log.info("%s", line)
        log.info("results    %s", folder)
    return SceneOutcome(entry.name, metrics)


def result_table(metrics: dict[str, Any]) -> list[str]:
    """The small table that a scene ends with."""
    lines = []
    found = {metrics["method"]: metrics.get("fused"), "bicubic": metrics.get("bicubic")}
    rows: list[tuple[str, dict[str, float]]] = [(name, values) for name, values in found.items() if values]
    if rows:
        columns = list(rows[0][1])
        lines.append(f"{metrics['convention'] + ' convention':<20}" + "".join(f"{name:>10}" for name in columns))
        lines += [f"{name:<20}" + "".join(f"{values[c]:>10.4g}" for c in columns) for name, values in rows]
    if not rows and metrics.get("consistency"):
        agreement = ", ".join(f"{name} {value:.2f}" for name, value in metrics["consistency"].items())
        lines.append(f"no truth; consistency with the two images: {agreement}")
    return [*lines, f"fused in {metrics['seconds']:.1f} s"]


def share_of_work() -> tuple[int, int]:
    """(rank, size) of this process among those started by paddle.distributed.launch; (0, 1) alone."""
    rank, size = os.environ.get("PADDLE_TRAINER_ID", "0"), os.environ.get("PADDLE_TRAINERS_NUM", "1")
    try:
        return int(rank), max(int(size), 1)
    except ValueError:
        where = "PADDLE_TRAINER_ID, PADDLE_TRAINERS_NUM"
        raise ConfigError("not numbers", where=where, got=f"{rank}, {size}") from None


def fuse_all(config: Config, folder: Path, *, quiet: bool = False, debug: bool = False) -> list[SceneOutcome]:
    """Fuse every scene of a run, one after another; one that fails does not stop the others.

    Under paddle.distributed.launch each process takes every size-th scene.

    Args:
        config: All settings.
        folder: The run's folder.
        quiet: No progress bar.
        debug: More in the log.

    Raises:
        Interrupted: If the user stopped it.
        CheckpointError: If the folder holds scenes made with another configuration.
        UmsftError: If there is no scene at all, or the only one fails.
    """
    entries = list_scenes(config.data)
    rank, size = share_of_work()
    for scene in scene_folders(folder):
        check_configuration(scene, config)
    if rank == 0:
        keep_configuration(folder, config)
    outcomes: list[SceneOutcome] = []
    unwritten: Optional[UmsftError] = None
    for entry in entries[rank::size]:
        try:
            with in_one_line(entry.name):
                outcome = fuse_scene(entry, config, folder / entry.name, quiet=quiet, debug=debug)
            if outcome.skipped:
                print(f"{entry.name}: finished before, skipped")
        except UmsftError as error:
            if len(entries) == 1:
                raise
            if debug:
                traceback.print_exc()
            print(f"{entry.name} failed: {error}", file=sys.stderr)
            outcome = SceneOutcome(entry.name, error=error)
        outcomes.append(outcome)
        try:
            write_overview(folder, config, outcomes)
            unwritten = None
        except UmsftError as error:
            unwritten = error  # the scenes to come matter more, and after the next one it is tried again
    if unwritten is not None:
        raise unwritten
    return outcomes


def write_overview(folder: Path, config: Config, outcomes: Sequence[SceneOutcome]) -> None:
    """Write summary.csv and report.html of all finished scenes, also of those that other processes finished.

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
                write_run_report(folder, config, failed)
            written = now


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
        CheckpointError: If the folder to resume holds no run.
        DataError: If the output folder cannot be written to.
    """
    extra = [*overrides, *([f"runtime.device={device}"] if device else [])]
    if resume is not None:
        folder = Path(resume).expanduser()
        if not (folder / CONFIG).is_file():
            hint = "give the folder of the run, such as output/demo"
            raise CheckpointError("no run to resume: no config.yml in there", where=folder, hint=hint)
        if config_name is not None:
            raise ConfigError("a resumed run has its own configuration", where="--resume", hint="leave -c out")
        if output is not None:
            raise ConfigError("a resumed run stays in its folder", where="--resume", hint="leave --output out")
        config = load_config(folder / CONFIG, extra)
        begun = (folder / "log.txt").is_file() and (folder.parent / CONFIG).is_file()  # before its first checkpoint
        if begun or (folder / "metrics.json").is_file() or list_checkpoints(folder):
            folder = folder.parent  # the folder of a scene was given
        return config, folder
    if config_name is None:
        raise ConfigError("no configuration", where="-c", hint="python tools/train.py -c demo.yml")
    config = load_config(config_name, extra)
    if output is not None:
        config.output.root = output
    list_scenes(config.data)  # before a folder is made: a wrong path should leave nothing behind
    return config, claim_run_folder(config, shared=share_of_work()[1] > 1)

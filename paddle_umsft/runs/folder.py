"""What a run leaves on the disk: names of folders, arrays, metrics, summary."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.facts import BandFacts
from paddle_umsft.data.scene import Case, FusionResult, Observation
from paddle_umsft.errors import CheckpointError, ConfigError, DataError
from paddle_umsft.machine.files import write_csv, write_sealed, write_text, write_whole
from paddle_umsft.machine.plain_files import SEAL, is_own_folder, is_plain, read_json, seal_of
from paddle_umsft.runs.begun_with import sealed_text
from paddle_umsft.runs.summary import mean_row, scene_rows
from paddle_umsft.runs.writers.product import Product, make_product, pair_under
from paddle_umsft.runs.writers.table import FORMATS, write_product

CONFIG = "config.yml"
METRICS = "metrics.json"
SUMMARY = "summary.csv"
HISTORY = "history.csv"
LOG = "log.txt"
CHECKPOINT_STATE = "state.json"
EARLIER_FORMAT = 1  # of checkpoints, before there was a seal
# The way out of whatever cannot be written within a run.
OUTPUT_HINT = "choose another --output"
# A checkpoint that makes room for one of the same number, until that is in its place.
SUPERSEDED = ".old"
_CHECKPOINT = re.compile(rf"iter_(\d+)({re.escape(SUPERSEDED)})?$")


def check_writable(folder: Path) -> None:
    """Check, before work is spent on it, that a folder is there or can be made; nothing is made yet.

    Raises:
        DataError: A file is in the way, or writing is not allowed.
    """
    nearest = folder.absolute()
    while not os.path.exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not os.path.isdir(nearest):
        raise DataError(
            "output folder cannot be made",
            where=folder,
            got=f"a file: {nearest}",
            hint="--output DIR",
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        got = f"no permission: {nearest}"
        raise DataError(
            "output folder not writable",
            where=folder,
            got=got,
            hint="--output DIR",
        )


def claim_run_folder(config: Config, *, shared: bool) -> Path:
    """Make the folder of a new run: `<root>/<name>`, or `<name>-2`, `-3` ... where that is taken.

    Args:
        config: Its `output` section decides.
        shared: Several processes work on one run: a folder that exists is joined.

    Raises:
        DataError: If the folder cannot be made or written to.
    """
    root = Path(config.output.root).expanduser()
    name = config.output.name or config.method
    folder = root / name
    number = 1
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=shared)
            # A folder can be there and still refuse files: of another user, or on a disk mounted read-only.
            probe = folder / ".writable"
            probe.touch()
            probe.unlink(missing_ok=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():
                raise DataError("output folder cannot be made", where=folder, got="a file of that name") from None
            number += 1
            folder = root / f"{name}-{number}"
        except OSError as error:
            raise DataError(
                "output folder not writable",
                where=folder,
                got=error,
                hint="--output DIR",
            ) from None


def save_arrays(
    folder: Path,
    case: Case,
    result: FusionResult,
    format: str,
) -> None:
    """Write the fused cube, PSF, SRF and wavelengths.

    Files: `fused.npy` or `fused.mat` (key `fused`), float32 (H, W, C), as normalised; for every other format, that
    file in the HSI's own units besides; `psf.npy` (k, k); `srf.npy` (M, C); `wavelengths_nm.npy` (C,);
    `true_psf.npy`, `true_srf.npy` in a simulation; `valid.npy` (H, W) bool with masks.

    Args:
        folder: The scene's.
        case: What was fused.
        result: What the method returned.
        format: One of `runs.writers.table.FORMATS`.

    Raises:
        DataError: Something cannot be written.
    """
    observation = case.observation
    numbers = "npy"
    if format == "mat":
        numbers = "mat"
    bare = Product(
        values=result.fused,
        bands=BandFacts(count=observation.bands, wavelengths_nm=observation.wavelengths_nm),
    )
    # What eval, reports and notebooks go on working with: numbers as the method had them.
    write_product(folder / f"fused{FORMATS[numbers].suffix}", bare, numbers, hint=OUTPUT_HINT)
    if FORMATS[format].is_product:
        under = pair_under(result, observation)
        product = make_product(result.fused, under, made_by(observation, result), result.valid)
        write_product(folder / f"fused{FORMATS[format].suffix}", product, format, hint=OUTPUT_HINT)
    arrays: dict[str, Optional[np.ndarray]] = {
        "psf": result.psf,
        "srf": result.srf,
        "wavelengths_nm": observation.wavelengths_nm,
        "true_psf": case.true_psf,
        "true_srf": case.true_srf,
        "valid": result.valid,
    }
    for name, array in arrays.items():
        if array is not None:
            save_array(folder / f"{name}.npy", np.asarray(array))


def made_by(observation: Observation, result: FusionResult) -> str:
    """Return a line on how a result came about, for its file: method, ratio, and the names of both files."""
    sources = [observation.meta.get("source"), observation.meta.get("source_msi")]
    names = [Path(str(source)).name for source in sources if source]
    line = f"paddle_umsft: {result.method}, ratio {observation.ratio}"
    if names:
        line += f", from {' and '.join(names)}"
    return line


def save_array(path: Path, array: np.ndarray) -> None:
    """Write one array, whole or not at all."""

    def write(temporary: Path) -> None:
        np.save(temporary, array)

    write_whole(path, write, hint=OUTPUT_HINT)


def write_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write history.csv: a row per record, a column per key."""
    columns = list(dict.fromkeys(key for record in history for key in record))
    write_csv(folder / HISTORY, columns, history, hint=OUTPUT_HINT)


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics.json under a seal: the scene is finished from then on.

    Args:
        folder: The scene's.
        metrics: Its content.

    Raises:
        DataError: It cannot be written.
    """
    write_sealed(folder / METRICS, metrics, hint=OUTPUT_HINT)


def read_metrics(folder: Path) -> Optional[dict[str, Any]]:
    """metrics.json of a finished scene, its seal broken off; None if the scene is not finished, or it was altered.

    Somebody else may have written it, seal included: whatever tables and pages take from it is what it should be.
    """
    try:
        metrics = read_json(folder / METRICS)
    except (OSError, ValueError):
        return None
    # Earlier versions wrote none.
    if SEAL in metrics and metrics.pop(SEAL) != seal_of(metrics):
        return None
    if not _is_sound(metrics):
        return None
    return metrics


def _is_sound(metrics: Mapping[str, Any]) -> bool:
    """Whether the figures are numbers by names, and the names of method and convention are words."""
    for name in ("method", "convention"):
        if not isinstance(metrics.get(name, ""), str):
            return False
    # A scene without a truth has none of both.
    for name in ("fused", "bicubic"):
        figures = metrics.get(name, {})
        if not isinstance(figures, dict) or not all(map(_is_figure, figures.values())):
            return False
    return _is_figure(metrics.get("seconds"))


def _is_figure(value: Any) -> bool:
    """Whether a value is a number that a float can hold, or null, as JSON has no infinity."""
    if value is None or isinstance(value, float):
        return True
    return isinstance(value, int) and abs(value) <= sys.float_info.max


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a scene's folder, oldest first; links are none."""
    found: dict[tuple[int, bool], Path] = {}
    for path in folder.glob("iter_*"):
        match = _CHECKPOINT.match(path.name)
        if match is not None and is_own_folder(path):
            # One that was to be superseded is older than its successor.
            found[int(match[1]), match[2] is None] = path
    # By number: iter_1000 comes after iter_200.
    return [found[order] for order in sorted(found)]


def scene_folders(folder: Path) -> list[Path]:
    """Folders within that of a run: its scenes; links are none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_own_folder(path))


def check_own_folder(folder: Path) -> None:
    """Check that a scene's folder is a folder of its own, or that there is none yet.

    Raises:
        DataError: It is a link, or a file: results would land elsewhere.
    """
    if os.path.lexists(folder) and not is_own_folder(folder):
        got = "a link or a file of that name"
        raise DataError("the scene's folder cannot be used", where=folder, got=got, hint="move it away")


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read a checkpoint's state.json, its seal broken off.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what was saved; the earlier format has no seal that would tell.
    """
    state = read_json(checkpoint / CHECKPOINT_STATE)
    if state.get("format") == EARLIER_FORMAT:
        return state
    seal = state.pop(SEAL, None)
    if seal != seal_of(state):
        raise ValueError(f"{CHECKPOINT_STATE} is not what was saved")
    return state


def _digest_begun_with(scene: Path) -> Optional[str]:
    """Digest of the configuration that a scene was finished or begun with; None if nothing says so."""
    metrics = read_metrics(scene)
    if metrics is not None:
        return str(metrics.get("config"))
    for checkpoint in reversed(list_checkpoints(scene)):
        try:
            return str(read_state(checkpoint)["config"])
        except (OSError, ValueError, KeyError):  # damaged: said when it is loaded, and an older one tells as well
            continue
    return None


def check_configuration(scene: Path, config: Config) -> None:
    """Check that a scene's folder holds nothing made with another configuration.

    Raises:
        CheckpointError: If it does.
    """
    found = _digest_begun_with(scene)
    if found is not None and not config.is_digest(found):
        hint = "resume it without -o, or start a new run with another output.name"
        raise CheckpointError("begun with another configuration", where=scene, hint=hint)


def keep_configuration(folder: Path, config: Config) -> None:
    """Write config.yml, unless the one in place says the same: a device given to one `--resume` is not for ever.

    Call it after `check_configuration`: what was made with a configuration must not lose it.

    Raises:
        DataError: If it cannot be written.
    """
    path = folder / CONFIG
    try:
        kept = load_config(path) if is_plain(path) else None
    except ConfigError:
        kept = None
    if kept is None or kept.digest() != config.digest():
        write_text(path, sealed_text(config), hint=OUTPUT_HINT)
    elif kept.data != config.data:
        # The same data under another path: the next `--resume` should find them there.
        moved = kept.model_copy(update={"data": config.data})
        write_text(path, sealed_text(moved), hint=OUTPUT_HINT)


def finished_scenes(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> content of metrics.json, of every finished scene of a run."""
    found = {}
    for scene in scene_folders(folder):
        metrics = read_metrics(scene)
        if metrics is not None:
            found[scene.name] = metrics
    return found


def write_summary(folder: Path) -> list[dict[str, Any]]:
    """Collect every finished scene of a run into summary.csv: a row per scene, and their mean.

    There is no mean over several conventions or methods.

    Returns:
        The rows: scene, convention, the metrics, bicubic's PSNR and SAM, seconds.
    """
    rows = scene_rows(finished_scenes(folder))
    if not rows:
        return rows
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = list(rows)
    mean = mean_row(rows)
    if mean is not None:
        table.append(mean)
    write_csv(folder / SUMMARY, columns, table, hint=OUTPUT_HINT)
    return table

"""What a run leaves on the disk: names of folders, arrays, metrics, summary."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.errors import CheckpointError, ConfigError, DataError

CONFIG = "config.yml"
SUMMARY = "summary.csv"
_CHECKPOINT = re.compile(r"iter_(\d+)$")


def write_safely(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name of this process's own and move it when whole.

    Args:
        path: Where it ends up.
        write: Called with the temporary path, which has the same suffix.

    Raises:
        DataError: If it cannot be written.
    """
    temporary = path.with_name(f".tmp_{os.getpid()}_{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # a file may stand where the folder should be
            temporary.unlink(missing_ok=True)
        raise DataError("cannot be written", where=path, got=error, hint="choose another --output") from error


def check_writable(folder: Path) -> None:
    """Check, before work is spent on it, that a folder is there or can be made; nothing is made yet.

    Raises:
        DataError: A file is in the way, or writing is not allowed.
    """
    nearest = folder.absolute()
    while not os.path.exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not os.path.isdir(nearest):
        raise DataError("output folder cannot be made", where=folder, got=f"a file: {nearest}", hint="--output DIR")
    if not os.access(nearest, os.W_OK | os.X_OK):
        got = f"no permission: {nearest}"
        raise DataError("output folder not writable", where=folder, got=got, hint="--output DIR")


def claim_run_folder(config: Config, *, shared: bool) -> Path:
    """Make the folder of a new run: `<root>/<name>`, or `<name>-2`, `-3` ... where that is taken.

    Args:
        config: Its `output` section decides.
        shared: Several processes work on one run: a folder that exists is joined.

    Raises:
        DataError: If the folder cannot be made or written to.
    """
    root, name = Path(config.output.root).expanduser(), config.output.name or config.method
    number = 1
    while True:
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True, exist_ok=shared)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink(missing_ok=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():
                raise DataError("output folder cannot be made", where=folder, got="a file of that name") from None
            number += 1
        except OSError as error:
            raise DataError("output folder not writable", where=folder, got=error, hint="--output DIR") from None


def save_arrays(folder: Path, case: Case, result: FusionResult, format: str) -> None:
    """Write the fused cube, PSF, SRF and wavelengths.

    Files: `fused.npy` or `fused.mat` (key `fused`), float32 (H, W, C); `psf.npy` (k, k); `srf.npy` (M, C);
    `wavelengths_nm.npy` (C,); `true_psf.npy`, `true_srf.npy` in a simulation.
    """
    if format == "mat":
        from scipy.io import savemat

        wavelengths = case.observation.wavelengths_nm
        extra = {} if wavelengths is None else {"wavelengths_nm": wavelengths}
        content = {"fused": result.fused, **extra}
        write_safely(folder / "fused.mat", lambda path: savemat(path, content, do_compression=True))
    else:
        write_safely(folder / "fused.npy", lambda path: np.save(path, result.fused))
    arrays: dict[str, Optional[np.ndarray]] = {
        "psf": result.psf,
        "srf": result.srf,
        "wavelengths_nm": case.observation.wavelengths_nm,
        "true_psf": case.true_psf,
        "true_srf": case.true_srf,
    }
    for name, array in arrays.items():
        if array is not None:
            kept = np.asarray(array)
            write_safely(folder / f"{name}.npy", lambda path, kept=kept: np.save(path, kept))  # type: ignore[misc]


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON, whole or not at all; numpy numbers become plain ones, NaN and infinity null."""
    text = json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_safely(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def _finite(value: Any) -> Any:
    """What JSON can hold: it has neither numpy's types nor NaN nor infinity."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def read_metrics(folder: Path) -> Optional[dict[str, Any]]:
    """metrics.json of a finished scene; None if the scene is not finished."""
    try:
        content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a scene's folder, oldest first."""
    found = [path for path in folder.glob("iter_*") if _CHECKPOINT.match(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def scene_folders(folder: Path) -> list[Path]:
    """Folders within that of a run: its scenes."""
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _digest_begun_with(scene: Path) -> Optional[str]:
    """Digest of the configuration that a scene was finished or begun with; None if nothing says so."""
    metrics = read_metrics(scene)
    if metrics is not None:
        return str(metrics.get("config"))
    for checkpoint in reversed(list_checkpoints(scene)):
        try:
            return str(json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))["config"])
        except (OSError, ValueError, KeyError, TypeError):  # damaged: said when it is loaded
            return None
    return None


def check_configuration(scene: Path, config: Config) -> None:
    """Check that a scene's folder holds nothing made with another configuration.

    Raises:
        CheckpointError: If it does.
    """
    found = _digest_begun_with(scene)
    if found is not None and found != config.digest():
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
        same = path.is_file() and load_config(path).digest() == config.digest()
    except ConfigError:
        same = False
    if not same:
        write_safely(path, lambda temporary: temporary.write_text(config.to_yaml(), encoding="utf-8"))


def finished_scenes(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> content of metrics.json, of every finished scene of a run."""
    found = {scene.name: read_metrics(scene) for scene in scene_folders(folder)}
    return {name: metrics for name, metrics in found.items() if metrics is not None}


def write_summary(folder: Path) -> list[dict[str, Any]]:
    """Collect every finished scene of a run into summary.csv: a row per scene, and their mean.

    There is no mean over several conventions or methods.

    Returns:
        The rows: scene, convention, the metrics, bicubic's PSNR and SAM, seconds.
    """
    rows: list[dict[str, Any]] = []
    for name, metrics in finished_scenes(folder).items():
        bicubic = metrics.get("bicubic") or {}
        rows.append(
            {
                "scene": name,
                "method": metrics.get("method", ""),
                "convention": metrics.get("convention", ""),
                **(metrics.get("fused") or {}),
                **{f"bicubic_{name}": bicubic[name] for name in ("PSNR", "SAM") if name in bicubic},
                "seconds": metrics.get("seconds", ""),
            }
        )
    if not rows:
        return rows
    columns = list(dict.fromkeys(name for row in rows for name in row))
    mean: dict[str, Any] = {"scene": "mean", "method": rows[0]["method"], "convention": rows[0]["convention"]}
    for name in columns:
        values = [row[name] for row in rows if isinstance(row.get(name), (int, float))]
        if values and len(values) == len(rows):
            mean[name] = float(np.mean(values))
    alike = len({(row["method"], row["convention"]) for row in rows}) == 1
    table = [*rows, mean] if alike else rows

    def write(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(table)

    write_safely(folder / SUMMARY, write)
    return table

"""What a run leaves on the disk: names of folders, arrays, metrics, summary."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.config import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.errors import DataError

SUMMARY = "summary.csv"


def write_safely(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name and move it when whole.

    Args:
        path: Where it ends up.
        write: Called with the temporary path, which has the same suffix.

    Raises:
        DataError: If it cannot be written.
    """
    temporary = path.with_name(f".tmp_{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError("cannot be written", where=path, got=error, hint="choose another --output") from error


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
    """Write readable JSON, whole or not at all; numpy numbers become plain ones."""
    text = json.dumps(content, indent=2, default=_plain, ensure_ascii=False)
    write_safely(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def read_metrics(folder: Path) -> Optional[dict[str, Any]]:
    """metrics.json of a finished scene; None if the scene is not finished."""
    try:
        content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_summary(folder: Path) -> list[dict[str, Any]]:
    """Collect every finished scene of a run into summary.csv: a row per scene, and their mean.

    Returns:
        The rows: scene, convention, the metrics, bicubic's PSNR and SAM, seconds.
    """
    rows: list[dict[str, Any]] = []
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        metrics = read_metrics(scene)
        if metrics is None:
            continue
        bicubic = metrics.get("bicubic") or {}
        rows.append(
            {
                "scene": scene.name,
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
    table = [*rows, mean]

    def write(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(table)

    write_safely(folder / SUMMARY, write)
    return table

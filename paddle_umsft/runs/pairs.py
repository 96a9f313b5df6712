"""Simulated image pairs as files for other programs, with everything that is known about how they were made."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, Supports
from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.files import write_json, write_whole
from paddle_umsft.machine.versions import versions
from paddle_umsft.runs.folder import OUTPUT_HINT

FORMATS = ("npz", "mat")
PSF_RULE = (
    "lr[i, j] = sum over u, v of psf[u, v] * hr[i*scale + first + u, j*scale + first + v], "
    "first = floor((scale - k) / 2), indices outside the image wrap around"
)
SRF_RULE = "msi[:, :, m] = sum over c of srf[m, c] * hr[:, :, c]"


def write_pair(
    case: Case,
    config: Config,
    folder: Path,
    *,
    format: str = "npz",
) -> list[Path]:
    """Write one simulated case: `pair`, `truth` and `pair.json`, the latter last.

    Of a masked scene `mask_hsi.npy` (h, w) and `mask_msi.npy` (H, W) are written besides, True where there is data.

    `pair.npz` (or .mat) holds `lr_hsi` (h, w, C) and `hr_msi` (H, W, M), float32, `scale`, and what the simulation
    knew: `psf` (k, k), `srf` (M, C), `wavelengths_nm` (C,) if known. `truth.npz` (or .mat) holds `hr_hsi` (H, W, C)
    and `wavelengths_nm`; it is a file of its own, so that a blind program cannot read it by mistake. `pair.json` tells
    noise, seed, normalisation, crop, conventions and versions.

    Args:
        case: What `simulate` made.
        config: The settings it was made with.
        folder: Where the files go; made if need be.
        format: "npz" or "mat" (MATLAB v5, compressed).

    Returns:
        The files.

    Raises:
        ConfigError: Unknown format, or a pair that was not simulated here.
        DataError: If something cannot be written.
    """
    if format not in FORMATS:
        expected = " or ".join(FORMATS)
        raise ConfigError(
            "unknown format",
            where="--format",
            expected=expected,
            got=format,
        )
    seen = case.observation
    if case.reference is None or case.true_psf is None or case.true_srf is None:
        raise ConfigError(
            "a pair is given already",
            where="data.lr_hsi",
            hint="simulate from a scene: data.path",
        )
    known: dict[str, np.ndarray] = {}
    if seen.wavelengths_nm is not None:
        known["wavelengths_nm"] = np.asarray(seen.wavelengths_nm, np.float64)
    pair = {
        "lr_hsi": seen.lr_hsi,
        "hr_msi": seen.hr_msi,
        "scale": np.array(seen.scale),
        "psf": np.asarray(case.true_psf, np.float64),
        "srf": np.asarray(case.true_srf, np.float64),
        **known,
    }
    truth = {"hr_hsi": case.reference, **known}
    pair_file = folder / f"pair.{format}"
    truth_file = folder / f"truth.{format}"
    facts_file = folder / "pair.json"
    _write_arrays(pair_file, pair)
    _write_arrays(truth_file, truth)
    facts = _facts(case, config, {"pair": pair_file.name, "truth": truth_file.name})
    masks = _write_masks(case, folder)
    write_json(facts_file, facts, hint=OUTPUT_HINT)
    return [pair_file, truth_file, *masks, facts_file]


def _write_masks(case: Case, folder: Path) -> list[Path]:
    """Write the masks of both images, as far as there are any; return the files."""
    written = []
    masks = {"mask_hsi": case.observation.mask_hsi, "mask_msi": case.observation.mask_msi}
    for name, mask in masks.items():
        path = folder / f"{name}.npy"
        if mask is None:
            path.unlink(missing_ok=True)  # of an earlier pair
            continue
        write_whole(path, partial(_save, array=mask), hint=OUTPUT_HINT)
        written.append(path)
    return written


def _save(path: Path, array: np.ndarray) -> None:
    np.save(path, array)


def read_back(
    folder: Path,
    *,
    format: str = "npz",
    known: tuple[str, ...] = (),
    supports: Optional[Supports] = None,
) -> list[str]:
    """Return the overrides (`-o`) with which tools/train.py fuses a pair that `write_pair` wrote.

    Args:
        folder: Where `write_pair` put it.
        format: As written.
        known: Of "psf" and "srf", what the method is told; neither: blind.
        supports: What it is told of the HSI bands that each MSI band sees, in the order of the pair's bands.
    """
    pair = (folder / f"pair.{format}").as_posix()
    overrides = [
        f"data.lr_hsi={pair}",
        "data.lr_key=lr_hsi",
        f"data.hr_msi={pair}",
        "data.hr_key=hr_msi",
        # Cropped, divided by one number and sorted by wavelength, with the wavelengths beside it: all that is done.
        "data.normalise=none",
        "data.layout=hwc",
        "data.crop=null",
        "data.wavelengths_nm=null",
    ]
    for name in ("mask_hsi", "mask_msi"):
        mask = folder / f"{name}.npy"
        if mask.is_file():
            overrides.append(f"data.{name}={mask.as_posix()}")
    if "psf" in known:
        overrides += [
            "observe.psf.type=file",
            f"observe.psf.path={pair}",
            "observe.psf.key=psf",
            "observe.known_psf=true",
        ]
    if "srf" in known:
        overrides += [
            f"observe.srf={pair}",
            "observe.srf_key=srf",
            "observe.known_srf=true",
        ]
    if supports is not None:
        # Without blanks, so that a shell takes it as one word.
        ranges = ",".join(f"[{first},{end}]" for first, end in supports)
        overrides.append(f"observe.supports=[{ranges}]")
    return overrides


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as .npz or .mat, compressed, whole or not at all.

    Raises:
        DataError: They cannot be written.
    """

    def write(temporary: Path) -> None:
        if path.suffix == ".mat":
            from scipy.io import savemat

            savemat(temporary, arrays, do_compression=True)
        else:
            np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]

    write_whole(path, write, hint=OUTPUT_HINT)


def _facts(
    case: Case,
    config: Config,
    files: dict[str, str],
) -> dict[str, Any]:
    """Return what pair.json tells: whatever another program needs to use the pair, or to make it again."""
    seen = case.observation
    shapes: dict[str, Any] = {
        "lr_hsi": list(seen.lr_hsi.shape),
        "hr_msi": list(seen.hr_msi.shape),
        "hr_hsi": None,
    }
    if case.reference is not None:
        shapes["hr_hsi"] = list(case.reference.shape)
    supports = None
    if seen.supports is not None:
        supports = [list(support) for support in seen.supports]
    return {
        "scene": seen.name,
        "files": files,
        "shapes": shapes,
        "axes": "rows, columns, bands",
        "scale": seen.scale,
        "psf": case.true_psf,
        "psf_rule": PSF_RULE,
        "srf": case.true_srf,
        "srf_rule": SRF_RULE,
        "wavelengths_nm": seen.wavelengths_nm,
        "supports": supports,
        **seen.meta,
        "noise_seed": config.seed,
        "data": config.data.model_dump(mode="json"),
        "versions": versions(),
    }

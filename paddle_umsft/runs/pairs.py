"""Simulated image pairs as files for other programs, with everything that is known about how they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, Supports
from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.versions import versions
from paddle_umsft.runs.folder import write_json, write_safely

FORMATS = ("npz", "mat")
PSF_RULE = (
    "lr[i, j] = sum over u, v of psf[u, v] * hr[i*scale + first + u, j*scale + first + v], "
    "first = floor((scale - k) / 2), indices outside the image wrap around"
)
SRF_RULE = "msi[:, :, m] = sum over c of srf[m, c] * hr[:, :, c]"


def write_pair(case: Case, config: Config, folder: Path, *, format: str = "npz") -> list[Path]:
    """Write one simulated case: `pair`, `truth` and `pair.json`, the latter last.

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
        raise ConfigError("unknown format", where="--format", expected=" or ".join(FORMATS), got=format)
    seen = case.observation
    if case.reference is None or case.true_psf is None or case.true_srf is None:
        raise ConfigError("a pair is given already", where="data.lr_hsi", hint="simulate from a scene: data.path")
    known = {} if seen.wavelengths_nm is None else {"wavelengths_nm": np.asarray(seen.wavelengths_nm, np.float64)}
    pair = {
        "lr_hsi": seen.lr_hsi,
        "hr_msi": seen.hr_msi,
        "scale": np.array(seen.scale),
        "psf": np.asarray(case.true_psf, np.float64),
        "srf": np.asarray(case.true_srf, np.float64),
        **known,
    }
    files = [folder / f"pair.{format}", folder / f"truth.{format}", folder / "pair.json"]
    _write_arrays(files[0], pair)
    _write_arrays(files[1], {"hr_hsi": case.reference, **known})
    write_json(files[2], _facts(case, config, {file.stem: file.name for file in files[:2]}))
    return files


def read_back(
    folder: Path, *, format: str = "npz", known: tuple[str, ...] = (), supports: Optional[Supports] = None
) -> list[str]:
    """Overrides (`-o`) with which tools/train.py fuses a pair that `write_pair` wrote.

    Args:
        folder: Where `write_pair` put it.
        format: As written.
        known: Of "psf" and "srf", what the method is told; neither: blind.
        supports: What it is told of the HSI bands that each MSI band sees, in the order of the pair's bands.
    """
    pair = (folder / f"pair.{format}").as_posix()
    overrides = [f"data.lr_hsi={pair}", "data.lr_key=lr_hsi", f"data.hr_msi={pair}", "data.hr_key=hr_msi"]
    # Cropped, divided by one number and sorted by wavelength, with the wavelengths beside it: all that is done.
    overrides += ["data.normalise=none", "data.layout=hwc", "data.crop=null", "data.wavelengths_nm=null"]
    if "psf" in known:
        overrides += ["observe.psf.type=file", f"observe.psf.path={pair}", "observe.psf.key=psf"]
        overrides.append("observe.known_psf=true")
    if "srf" in known:
        overrides += [f"observe.srf={pair}", "observe.srf_key=srf", "observe.known_srf=true"]
    if supports is not None:
        overrides.append(f"observe.supports={[list(support) for support in supports]}".replace(" ", ""))
    return overrides


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    if path.suffix == ".mat":
        from scipy.io import savemat

        write_safely(path, lambda temporary: savemat(temporary, arrays, do_compression=True))
    else:
        write_safely(path, lambda temporary: np.savez_compressed(temporary, **arrays))  # type: ignore[arg-type]


def _facts(case: Case, config: Config, files: dict[str, str]) -> dict[str, Any]:
    seen = case.observation
    return {
        "scene": seen.name,
        "files": files,
        "shapes": {
            "lr_hsi": list(seen.lr_hsi.shape),
            "hr_msi": list(seen.hr_msi.shape),
            "hr_hsi": None if case.reference is None else list(case.reference.shape),
        },
        "axes": "rows, columns, bands",
        "scale": seen.scale,
        "psf": case.true_psf,
        "psf_rule": PSF_RULE,
        "srf": case.true_srf,
        "srf_rule": SRF_RULE,
        "wavelengths_nm": seen.wavelengths_nm,
        "supports": None if seen.supports is None else [list(support) for support in seen.supports],
        **seen.meta,
        "noise_seed": config.seed,
        "data": config.data.model_dump(mode="json"),
        "versions": versions(),
    }

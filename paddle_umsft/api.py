"""Fusing two arrays in a line."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np

from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.checks import (
    check_cube,
    check_pair,
    check_psf,
    check_scale,
    check_srf,
    check_supports,
    check_wavelengths,
)
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.methods.table import run_method


def fuse(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    *,
    scale: Optional[int] = None,
    supports: Optional[Sequence[Sequence[int]]] = None,
    psf: Optional[np.ndarray] = None,
    srf: Optional[np.ndarray] = None,
    wavelengths_nm: Optional[np.ndarray] = None,
    config: Optional[Union[Config, str, Path]] = None,
    overrides: Iterable[str] = (),
    method: Optional[str] = None,
    seed: Optional[int] = None,
    on_record: Optional[Callable[[dict[str, Any]], None]] = None,
) -> FusionResult:
    """Fuse a hyperspectral image with a sharper multispectral one of the same scene.

    Args:
        lr_hsi: (h, w, C), real, scaled to about [0, 1].
        hr_msi: (H, W, M), scaled alike, H = h * scale, W = w * scale.
        scale: Whole ratio of the resolutions; None: by the sizes.
        supports: Per MSI band the half-open range [a, b) of HSI bands it can see; None: all bands.
        psf: (k, k) known PSF in HR pixels, scaled to sum 1 here; None: learned.
        srf: (M, C) known SRF; None: learned.
        wavelengths_nm: (C,) band centres of the HSI.
        config: A `Config`, or the name of a configuration file; None: the published settings.
        overrides: `key.sub=value` on top of a named configuration.
        method: Instead of the configuration's.
        seed: Instead of the configuration's.
        on_record: Called with every record of an iterative method (stage, iteration, loss ...).

    Returns:
        `fused` (H, W, C) float32, `psf`, `srf` (M, C), `history`.

    Raises:
        DataError: If the images are unusable or do not agree by one whole factor.
        ConfigError: If a setting does not fit.

    Example:
        >>> import numpy as np
        >>> rng = np.random.RandomState(0)
        >>> scene = rng.uniform(size=(32, 48, 5)).astype("float32")
        >>> lr_hsi = scene.reshape(8, 4, 12, 4, 5).mean(axis=(1, 3))
        >>> fuse(lr_hsi, scene[:, :, :2], scale=4, method="bicubic").fused.shape
        (32, 48, 5)
    """
    lr_hsi, hr_msi = check_cube(lr_hsi, "lr_hsi"), check_cube(hr_msi, "hr_msi")
    if scale is not None:
        told: Any = scale
        whole = isinstance(told, float) and told.is_integer()  # H / h is a float
        scale = check_scale(int(told) if whole else told, where="scale")
    scale = check_pair(lr_hsi.shape, hr_msi.shape, scale)
    bands, msi_bands = lr_hsi.shape[2], hr_msi.shape[2]
    checked_psf = None if psf is None else check_psf(psf)
    checked_srf = None if srf is None else check_srf(srf, bands)
    if checked_srf is not None and checked_srf.shape[0] != msi_bands:
        raise DataError("rows of the SRF", where="srf", expected=f"{msi_bands} (the MSI's bands)", got=len(checked_srf))
    observation = Observation(
        lr_hsi=lr_hsi.astype(np.float32),
        hr_msi=hr_msi.astype(np.float32),
        scale=scale,
        supports=None if supports is None else check_supports(supports, bands, msi_bands),
        psf=None if checked_psf is None else checked_psf / checked_psf.sum(),
        srf=checked_srf,
        wavelengths_nm=None if wavelengths_nm is None else check_wavelengths(wavelengths_nm, bands),
    )
    settings = _settings(config, overrides, {"method": method, "seed": seed})
    result = run_method(observation, settings, on_record)
    for note in result.extras.get("notes", ()):
        warnings.warn(note, stacklevel=2)
    return result


def _settings(config: Optional[Union[Config, str, Path]], overrides: Iterable[str], instead: dict[str, Any]) -> Config:
    chosen = [f"{key}={value}" for key, value in instead.items() if value is not None]
    if isinstance(config, Config):
        if list(overrides):
            raise ConfigError("overrides go with a configuration's name", where="overrides", hint="change the Config")
        return load_config(None, chosen).model_copy(
            update={**dict(config), **{key: value for key, value in instead.items() if value is not None}}
        )
    if config is not None and not isinstance(config, (str, Path)):
        expected, got = "a Config or the name of one", repr(config)[:60]
        raise ConfigError("configuration", where="config", expected=expected, got=got)
    return load_config(config, [*overrides, *chosen])

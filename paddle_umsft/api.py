"""The public face: reading, simulating and fusing, a call each."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from paddle_umsft.cameras.given import pair_from_files
from paddle_umsft.cameras.observe import simulate as simulate_scene
from paddle_umsft.config.load import listed_overrides, load_config, make_config
from paddle_umsft.config.run import Config
from paddle_umsft.data import reading
from paddle_umsft.data.checks import (
    check_axes,
    check_bands_last,
    check_cube,
    check_grids,
    check_numeric,
    check_psf,
    check_scale,
    check_srf,
    check_supports,
    check_wavelengths,
    to_float32,
)
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.labelled_pair import labelled_pair
from paddle_umsft.data.masks import check_mask, filled
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import Case, FusionResult, Observation, Scene
from paddle_umsft.data.validity import usual_fill
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.machine.failures import out_of_memory_in_one_line
from paddle_umsft.methods.table import METHODS, find_method, run_method

# What `fuse` takes where nothing is said: that of fast.yml, a good picture in seconds.
DEFAULT_METHOD = "subspace"
# A file or folder, or several files of one band each.
Named = Union[str, Path, Sequence[Union[str, Path]]]


def read_scene(source: Union[str, Path, Config], **data: Any) -> Scene:
    """Read one hyperspectral scene.

    Args:
        source: A file, a CAVE folder, `demo://dead_leaves` or `tensorly://indian_pines`; or a configuration, whose
            section `data` names it.
        **data: Keys of that section: `key`, `layout`, `normalise`, `crop`, `wavelengths_nm` ...

    Raises:
        ConfigError: A key or value that section `data` does not know.
        DataError: Missing, unreadable or unusable data.

    Example:
        >>> read_scene("demo://dead_leaves", crop=[0, 0, 32, 48]).hr_hsi.shape
        (32, 48, 31)
    """
    if isinstance(source, Config):
        content = {**source.data.model_dump(exclude_unset=True), **data}
        settings = make_config({"data": content}, where="read_scene").data
    else:
        settings = make_config({"data": {"path": str(source), **data}}, where="read_scene").data
    return reading.read_scene(settings)


def read_pair(lr_hsi: Named, hr_msi: Named, *, observe: Optional[Mapping[str, Any]] = None, **data: Any) -> Case:
    """Read an LR-HSI and an HR-MSI that belong together.

    Args:
        lr_hsi: The file of the one, a satellite product's folder, or files of one band each.
        hr_msi: The same of the other; may be the same file.
        observe: Keys of section `observe`: `scale`, `supports`, `known_psf` ...
        **data: Keys of section `data`: `lr_key`, `hr_key`, `layout`, `normalise`, `wavelengths_nm` ...

    Returns:
        A case without truth; `fuse` takes it.

    Raises:
        ConfigError: A key or value that the sections do not know.
        DataError: Missing, unreadable or unusable data, or sizes that do not agree.
    """
    named = {"lr_hsi": _as_text(lr_hsi, "lr_hsi"), "hr_msi": _as_text(hr_msi, "hr_msi")}
    content = {"data": {**named, **data}, "observe": dict(observe or {})}
    config = make_config(content, where="read_pair")
    images = reading.read_pair(config.data)
    return pair_from_files(images, config.observe)


def _as_text(named: Named, where: str) -> Union[str, list[str]]:
    """Return the names of files as a configuration has them.

    Raises:
        ConfigError: They are no names.
    """
    if isinstance(named, (str, Path)):
        return str(named)
    if isinstance(named, Sequence) and all(isinstance(name, (str, Path)) for name in named):
        return [str(name) for name in named]
    raise ConfigError("no name of a file", where=where, expected="a path or a list of them", got=repr(named)[:60])


def simulate(scene: Scene, config: Optional[Config] = None, *, seed: int = 1, **observe: Any) -> Case:
    """Let both cameras look at a scene.

    Args:
        scene: What `read_scene` returned.
        config: Its section `observe` and its seed, instead of the defaults.
        seed: Of the noise.
        **observe: Keys of section `observe`: `scale`, `psf`, `srf`, `snr_hsi_db` ...

    Returns:
        The observation, and the truth beside it; `fuse` takes it, and never looks at the truth.

    Raises:
        ConfigError: A key or value that section `observe` does not know.
        DataError: The scene is smaller than the scale, or SRF and scene do not fit.

    Example:
        >>> case = simulate(read_scene("demo://dead_leaves", crop=[0, 0, 32, 48]), scale=4, srf="uniform")
        >>> case.observation.lr_hsi.shape, case.observation.hr_msi.shape
        ((8, 12, 31), (32, 48, 4))
    """
    if config is not None:
        seed = config.seed
        observe = {**config.observe.model_dump(exclude_unset=True), **observe}
    settings = make_config({"observe": observe}, where="simulate").observe
    return simulate_scene(scene, settings, seed)


def fuse(
    lr_hsi: Union[np.ndarray, Case, Observation],
    hr_msi: Optional[np.ndarray] = None,
    *,
    scale: Optional[float] = None,
    grid: Optional[HsiGrid] = None,
    supports: Optional[Sequence[Sequence[int]]] = None,
    psf: Optional[np.ndarray] = None,
    srf: Optional[np.ndarray] = None,
    wavelengths_nm: Optional[np.ndarray] = None,
    mask_hsi: Optional[np.ndarray] = None,
    mask_msi: Optional[np.ndarray] = None,
    config: Optional[Union[Config, str, Path]] = None,
    overrides: Optional[Iterable[str]] = (),
    method: Optional[str] = None,
    weights: Optional[Union[str, Path]] = None,
    iterations: Optional[int] = None,
    seed: Optional[int] = None,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Fuse a hyperspectral image with a sharper multispectral one of the same scene.

    Args:
        lr_hsi: (h, w, C), real, scaled to about [0, 1]; or what `simulate` or `read_pair` returned, which holds both
            images and all that is known of them; or an `xarray.DataArray` in any units, its axes in any order and told
            by their names (y, x, band ...), with its wavelengths, no-data and coordinates.
        hr_msi: (H, W, M), scaled alike, H = h * scale, W = w * scale; any size with a ratio that is no whole number, or
            with a grid; a DataArray where `lr_hsi` is one.
        scale: Ratio of the resolutions; None: by the sizes.
        grid: Where the HSI's pixels lie on the MSI, see `HsiGrid`; None: both begin at the same corner.
        supports: Per MSI band the half-open range [a, b) of HSI bands it can see; None: all bands.
        psf: (k, k) known PSF in HR pixels, scaled to sum 1 here; None: learned.
        srf: (M, C) known SRF; None: learned.
        wavelengths_nm: (C,) band centres of the HSI.
        mask_hsi: (h, w), True where the LR-HSI holds data; what lies under False may be anything, NaN too, and
            reaches no other pixel. None: all of it is data.
        mask_msi: (H, W), the same for the HR-MSI.
        config: A `Config`, or the name of a configuration file; None: method `subspace`, as `fast.yml` has it. The
            published network by name: `published.yml`, or `method="umsft"`.
        overrides: `key.sub=value` on top of a named configuration.
        method: Instead of the configuration's.
        weights: File of weights that a trained method starts from: a published checkpoint or a `model.pdparams`.
        iterations: Steps of its fusion, instead of the configuration's; 0: the weights are applied as they are, with
            the PSF and SRF that they bring, and nothing is trained.
        seed: Instead of the configuration's.
        on_record: Called with every record of an iterative method (stage, iteration, loss ...).

    Returns:
        `fused` (H, W, C) float32, `psf`, `srf` (M, C), `history`, `notes`; with masks `valid` (H, W), False where there
        is no data; `verdict` whether to trust it, and `trust` how far: `trust.expected.cube()` is the error to expect
        of every value. A verdict that is not good is a warning too. Of DataArrays `fused` is one too: bands and units
        of the HSI, rows and columns of the MSI, NaN where there is no data.

    Raises:
        DataError: If the images are unusable, agree neither by one whole factor nor by the ratio or grid given, or need
            more memory than there is.
        ConfigError: If a setting does not fit.

    Example:
        >>> pair = simulate(read_scene("demo://dead_leaves", crop=[0, 0, 32, 48]), scale=4, srf="uniform").observation
        >>> result = fuse(pair.lr_hsi, pair.hr_msi, method="gsa")
        >>> result.fused.shape, result.verdict.kind
        ((32, 48, 31), 'good')
    """
    labels = labelled_pair(lr_hsi, hr_msi)
    if labels is not None:
        lr_hsi, hr_msi = labels.lr_hsi, labels.hr_msi
        wavelengths_nm = labels.known("wavelengths_nm", wavelengths_nm, labels.wavelengths_nm)
        mask_hsi = labels.known("mask_hsi", mask_hsi, labels.hsi.mask)
        mask_msi = labels.known("mask_msi", mask_msi, labels.msi.mask)
        srf = labels.srf(srf)
    observation = _observation(
        lr_hsi,
        hr_msi,
        scale=scale,
        grid=grid,
        supports=supports,
        psf=psf,
        srf=srf,
        wavelengths_nm=wavelengths_nm,
        mask_hsi=mask_hsi,
        mask_msi=mask_msi,
    )
    settings = _settings(config, overrides, {"method": method, "seed": seed})
    settings = _with_start(settings, weights, iterations)
    with out_of_memory_in_one_line(observation.name):
        result = run_method(observation, settings, on_record)
    verdict = result.verdict
    if verdict is not None and verdict.kind != "good":
        warnings.warn(verdict.line, stacklevel=2)
    if labels is not None:
        result.fused = labels.labelled(result.fused, result.valid)
    return result


def _observation(
    first: Union[np.ndarray, Case, Observation], hr_msi: Optional[np.ndarray], **known: Any
) -> Observation:
    """The observation that was given, or one made of two arrays, checked."""
    if isinstance(first, Case):
        first = first.observation
    if not isinstance(first, Observation):
        if hr_msi is None:
            raise ConfigError("the second image is missing", where="hr_msi", expected="(H, W, M)", got="None")
        return _checked_observation(first, hr_msi, **known)
    beside = [name for name, value in {"hr_msi": hr_msi, **known}.items() if value is not None]
    if beside:
        hint = "the observation says it already"
        raise ConfigError("not beside an observation", where="fuse", got=", ".join(beside), hint=hint)
    return first


def _checked_observation(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    *,
    scale: Optional[float],
    grid: Optional[HsiGrid],
    supports: Optional[Sequence[Sequence[int]]],
    psf: Optional[np.ndarray],
    srf: Optional[np.ndarray],
    wavelengths_nm: Optional[np.ndarray],
    mask_hsi: Optional[np.ndarray],
    mask_msi: Optional[np.ndarray],
) -> Observation:
    lr_hsi, mask_hsi = _masked(lr_hsi, mask_hsi, "hsi")
    hr_msi, mask_msi = _masked(hr_msi, mask_msi, "msi")
    lr_hsi = check_cube(lr_hsi, "lr_hsi")
    if mask_hsi is None:
        _check_filled(lr_hsi, "hsi")
    hr_msi = check_cube(hr_msi, "hr_msi")
    if mask_msi is None:
        _check_filled(hr_msi, "msi")
    if scale is None and grid is None:
        check_bands_last(lr_hsi.shape, hr_msi.shape)
    whole, grid = check_grids(lr_hsi.shape, hr_msi.shape, _checked_ratio(scale), grid)
    bands, msi_bands = lr_hsi.shape[2], hr_msi.shape[2]
    checked_psf = None if psf is None else check_psf(psf)
    checked_srf = None if srf is None else check_srf(srf, bands, msi_bands=msi_bands)
    return Observation(
        lr_hsi=to_float32(lr_hsi, "lr_hsi"),
        hr_msi=to_float32(hr_msi, "hr_msi"),
        scale=whole,
        supports=None if supports is None else check_supports(supports, bands, msi_bands),
        psf=None if checked_psf is None else checked_psf / checked_psf.sum(),
        srf=checked_srf,
        wavelengths_nm=None if wavelengths_nm is None else check_wavelengths(wavelengths_nm, bands),
        mask_hsi=mask_hsi,
        mask_msi=mask_msi,
        grid=grid,
    )


def _masked(
    image: np.ndarray,
    mask: Optional[np.ndarray],
    which: str,
) -> tuple[np.ndarray, Optional[np.ndarray]]:
    """An image with what its mask hides filled, and the mask, checked; both as they came without one.

    Args:
        image: (H, W, B), anything at all where it is masked.
        mask: (H, W) or None.
        which: "hsi" or "msi".
    """
    if mask is None:
        return image, None
    name = {"hsi": "lr_hsi", "msi": "hr_msi"}[which]
    image = check_axes(check_numeric(image, name), name)
    valid = check_mask(mask, image.shape, f"mask_{which}")
    return filled(image, valid, name), valid


def _checked_ratio(scale: Any) -> Optional[float]:
    """A ratio of the resolutions as the user gave it: any above 1, a whole one (H / h is a float too) as an int."""
    if scale is None:
        return None
    if isinstance(scale, (float, np.floating)) and not float(scale).is_integer() and 1 < scale < np.inf:
        return float(scale)
    is_float = isinstance(scale, (float, np.floating)) and np.isfinite(scale) and float(scale).is_integer()
    return check_scale(int(scale) if is_float else scale, where="scale")


def _check_filled(image: np.ndarray, which: str) -> None:
    """Refuse a cube whose pixels hold a usual fill value: it would be fused as light.

    Raises:
        DataError: It does; the message has the call that masks them.
    """
    name = {"hsi": "lr_hsi", "msi": "hr_msi"}[which]
    fill = usual_fill(image)
    if fill is None:
        return
    count = int((image == fill).all(axis=2).sum())
    raise DataError(
        "values that mean no data",
        where=name,
        got=f"{count} pixels of {fill:g}",
        hint=f"fuse(..., mask_{which}=({name} != {fill:g}).all(2)) leaves them out",
    )


def _settings(
    config: Optional[Union[Config, str, Path]], overrides: Optional[Iterable[str]], instead: dict[str, Any]
) -> Config:
    overrides = listed_overrides(overrides)
    chosen = [f"{key}={value}" for key, value in instead.items() if value is not None]
    if isinstance(config, Config):
        if overrides:
            raise ConfigError("overrides go with a configuration's name", where="overrides", hint="change the Config")
        checked = load_config(None, chosen)
        changed = {key: getattr(checked, key) for key, value in instead.items() if value is not None}
        return config.model_copy(update=changed)
    if config is not None and not isinstance(config, (str, Path)):
        expected, got = "a Config or the name of one", repr(config)[:60]
        raise ConfigError("configuration", where="config", expected=expected, got=got)
    if config is None:
        overrides = [f"method={DEFAULT_METHOD}", *overrides]
    return load_config(config, [*overrides, *chosen])


def _with_start(config: Config, weights: Optional[Union[str, Path]], iterations: Optional[int]) -> Config:
    """Return a configuration whose method starts from these weights and takes so many steps.

    Raises:
        ConfigError: The method has no such setting, or it does not allow the value.
    """
    method = find_method(config.method)
    if weights is not None:
        config = _with_setting(config, "weights", method.weights_key, str(weights))
    if iterations is not None:
        config = _with_setting(config, "iterations", method.iterations_key, iterations)
    return config


def _with_setting(config: Config, argument: str, key: Optional[str], value: Any) -> Config:
    """Return a configuration with one setting changed, the one that an argument of `fuse` stands for."""
    if key is None:
        having = [name for name, method in METHODS.items() if getattr(method, f"{argument}_key") is not None]
        raise ConfigError(
            "the method has none",
            where=argument,
            expected=f"method one of {', '.join(having)}",
            got=config.method,
        )
    section_name, _, name = key.partition(".")
    make_config({section_name: {name: value}}, where=argument)  # refuses what the setting does not allow
    section = getattr(config, section_name).model_copy(update={name: value})
    return config.model_copy(update={section_name: section})

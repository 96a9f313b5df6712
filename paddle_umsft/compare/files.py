"""Comparing fused results with the truth: files of any program, and run folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
from pydantic import ValidationError

from paddle_umsft.cameras.observe import crop_to_scale
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.config.data import DataConfig
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.readers import list_scenes, read_scene
from paddle_umsft.data.scene import Case, Observation, Scene
from paddle_umsft.errors import ConfigError, DataError, UmsftError
from paddle_umsft.metrics import consistency, evaluate, evaluate_bands, qnr
from paddle_umsft.runs.run import make_case

RESULT_FILES = ("fused.npy", "fused.mat")


@dataclass
class Settings:
    """What is compared with what, and how.

    Attributes:
        results: Fused files, scene folders and run folders.
        reference: The truth: a file, a CAVE folder or a folder of scenes; None: the one the run's config names.
        scale: Ratio of the resolutions; None: from the run's config.
        conventions: Names of the conventions; one row for each.
        key: Array in a result's .mat or .npz.
        reference_key: Array in the reference's .mat or .npz.
        normalise: What the reference is divided by; None: as the configuration says.
        result_normalise: What a result is divided by.
        layout: Order of the axes in all files; None: as the configuration says, inferred for results.
        crop: [top, left, height, width] of the reference.
        without_truth: Add agreement with the observation, D_lambda, D_s and QNR; all there is for a given pair.
        baselines: Run the baselines and presets on the same observation.
        presets: Names of the configurations to run beside the baselines.
        config: Configuration that says how the observation is simulated; None: the run's, or the defaults.
        overrides: `key.sub=value` on top of it, or of the run's.
    """

    results: Sequence[str] = ()
    reference: Optional[str] = None
    scale: Optional[int] = None
    conventions: Sequence[str] = ("author",)
    key: Optional[str] = None
    reference_key: Optional[str] = None
    normalise: Any = None
    result_normalise: Any = "none"
    layout: Optional[str] = None
    crop: Optional[list[int]] = None
    without_truth: bool = False
    baselines: bool = False
    presets: Sequence[str] = ()
    config: Optional[str] = None
    overrides: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """One result under one convention.

    Attributes:
        file: The file, or the method that was run.
        group: Rows of one group are averaged over scenes: a run, a folder of results or a method.
        scene: Name of the scene.
        convention: Name of the convention.
        figures: Figure by name.
        bands: Figure of each band by name, (C,) each.
    """

    file: str
    group: str
    scene: str
    convention: str
    figures: dict[str, float]
    bands: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _Found:
    """A fused file and what is known about it; `folder` is the run or folder whose scenes are averaged."""

    file: Path
    folder: Path
    scene: str
    config: Optional[Config]


def _scene_folder(folder: Path, overrides: Sequence[str]) -> Optional[_Found]:
    """A scene's folder of a run: fused.npy or fused.mat, and its config.yml."""
    for name in RESULT_FILES:
        if (folder / name).is_file():
            file = folder / "config.yml"
            config, whole = load_config(file, overrides) if file.is_file() else None, folder.resolve()
            return _Found(folder / name, whole.parent, whole.name, config)
    return None


def find_results(path: str, overrides: Sequence[str] = ()) -> list[_Found]:
    """Fused files that an argument stands for: a file, a scene's folder, a run's folder or a folder of files.

    Args:
        path: The argument.
        overrides: `key.sub=value` on top of a run's config.

    Raises:
        DataError: Nothing there.
    """
    given = Path(path).expanduser()
    if given.is_file():
        one = _scene_folder(given.parent, overrides) if given.name in RESULT_FILES else None
        return [one or _Found(given, given.resolve().parent, given.stem, None)]
    if not given.is_dir():
        raise DataError("no such file or folder", where=path)
    alone = _scene_folder(given, overrides)
    if alone is not None:
        return [alone]
    inside = [_scene_folder(folder, overrides) for folder in sorted(given.iterdir()) if folder.is_dir()]
    found = [item for item in inside if item is not None]
    if found:
        return found
    files = list_scenes(DataConfig(path=str(given)))
    return [_Found(Path(str(entry.settings.path)), given.resolve(), entry.name, None) for entry in files]


def _group_names(results: Sequence[_Found]) -> dict[Path, str]:
    """Names of the folders whose scenes are averaged: the last part of the path, all of it where two have the same."""
    folders = dict.fromkeys(found.folder for found in results)
    names = [folder.name for folder in folders]
    return {folder: folder.name if names.count(folder.name) == 1 else str(folder) for folder in folders}


def _data(base: DataConfig, prefix: str = "--", **changes: Any) -> DataConfig:
    """Checked copy of a `data` section; `prefix` makes a setting's name the option that it came from."""
    try:
        return DataConfig.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        option = f"{prefix}{name}" if name in changes else f"data.{name}".rstrip(".")
        what = first["msg"].removeprefix("Value error, ")
        raise ConfigError(what, where=option, got=repr(first["input"])[:80]) from None


def divisor(text: str, option: str = "--normalise") -> Any:
    """The value of --normalise or --result-normalise: max, dtype, none or a number.

    Raises:
        ConfigError: Anything else.
    """
    if text in ("max", "dtype", "none"):
        return text
    try:
        return float(text)
    except ValueError:
        expected = "max, dtype, none or a number"
        raise ConfigError("no such normalisation", where=option, expected=expected, got=repr(text)) from None


def read_result(found: _Found, settings: Settings) -> Scene:
    """Reads a fused cube, (H, W, C) float32, its bands as they are in the file or sorted by its own wavelengths."""
    data = _data(
        DataConfig(),
        "--result-",
        path=str(found.file),
        key=settings.key,
        normalise=settings.result_normalise,
        layout="hwc" if found.config is not None else settings.layout or "auto",
    )
    return read_scene(data, str(found.file))  # the name serves the messages


def _base_config(found: Optional[_Found], settings: Settings) -> Config:
    """Configuration of the observation: the one asked for, else the run's own, else the defaults; scale on top."""
    if settings.config is not None or found is None or found.config is None:
        config = load_config(settings.config, settings.overrides)
    else:
        config = found.config  # overrides are in it
    if settings.scale is not None:
        if settings.scale < 2:
            raise ConfigError("not a scale factor", where="--scale", expected="a whole number >= 2", got=settings.scale)
        config = config.model_copy(update={"observe": config.observe.model_copy(update={"scale": settings.scale})})
    return config


def run_overrides(settings: Settings) -> Sequence[str]:
    """Overrides that go on top of a run's own config: all, unless another configuration was asked for."""
    return settings.overrides if settings.config is None else ()


class Truths:
    """Reads references and observations, the last one kept: rows of one scene follow each other.

    Args:
        settings: What is compared with what.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kept: Optional[tuple[str, Case]] = None

    def config(self, found: Optional[_Found]) -> Config:
        """Configuration with the data section that points to the reference."""
        config, given = _base_config(found, self.settings), self.settings
        changes: dict[str, Any] = {}
        if given.reference is not None:
            changes.update(path=given.reference, key=given.reference_key, lr_hsi=None, hr_msi=None)
        asked = {"crop": given.crop, "normalise": given.normalise, "layout": given.layout}
        changes.update({key: value for key, value in asked.items() if value is not None})
        config = config.model_copy(update={"data": _data(config.data, **changes)})
        if config.data.path is None and not (config.data.is_pair and given.without_truth):
            pair_hint = "a given pair has none: --without-truth, or give --reference FILE"
            hint = pair_hint if config.data.is_pair else "give --reference FILE"
            raise ConfigError("no truth to compare with", where="--reference", hint=hint)
        return config

    def entry(self, config: Config, scene: str) -> Any:
        """The scene of this name; the only one there is fits every name."""
        entries = list_scenes(config.data)
        named = [entry for entry in entries if entry.name == scene]
        if len(entries) > 1 and not named:
            got = ", ".join(entry.name for entry in entries[:8])
            raise DataError("no truth of that name", where=config.data.path, expected=scene, got=got)
        return (named or entries)[0]

    def case(self, found: _Found, observed: bool) -> Case:
        """Truth of a result, with its simulated observation if asked for.

        Args:
            found: The result.
            observed: Whether the observation is needed; without it only its scale is right.
        """
        config = self.config(found)
        entry = self.entry(config, found.scene)
        known = f"{observed} {entry.settings!r} {config.observe!r} {config.seed}"
        if self._kept is None or self._kept[0] != known:
            # A run on a given pair took its scale from the sizes; the truth alone does not tell it.
            sizes_tell = config.data.is_pair or (found.config is not None and not found.config.data.is_pair)
            if config.observe.scale is None and self.settings.config is None and not sizes_tell:
                raise ConfigError("the scale is not known", where="--scale", hint="ERGAS needs it: --scale S")
            self._kept = (known, make_case(entry, config) if observed else _truth_only(entry, config))
        return self._kept[1]


def _truth_only(entry: Any, config: Config) -> Case:
    """The truth without simulating an observation, which needs an SRF that may not fit."""
    scale = config.observe.scale or 8
    scene = crop_to_scale(read_scene(entry.settings, entry.name), scale)[0]
    nothing = np.zeros((1, 1, 1), np.float32)
    meta = {} if scene.band_order is None else {"band_order": list(scene.band_order)}
    observation = Observation(nothing, nothing, scale, scene.name, wavelengths_nm=scene.wavelengths_nm, meta=meta)
    return Case(observation, reference=scene.hr_hsi)


def compare(case: Case, fused: np.ndarray, conventions: Sequence[str], *, without_truth: bool) -> Iterator[Any]:
    """Figures of one cube under each convention.

    Args:
        case: Truth and observation.
        fused: (H, W, C).
        conventions: Their names.
        without_truth: Add agreement with the observation, D_lambda, D_s and QNR.

    Yields:
        Convention, figures of the cube, figures per band; without a truth once, with no convention.
    """
    seen, extra = case.observation, {}
    if without_truth:
        extra = qnr(fused, seen.lr_hsi, seen.hr_msi, scale=seen.scale)
        psf = seen.psf if case.true_psf is None else case.true_psf
        srf = seen.srf if case.true_srf is None else case.true_srf
        if psf is not None and srf is not None:
            cube = fused.astype(np.float64)
            low = SpatialDegradation(psf, seen.scale).forward(cube)
            msi = SpectralDegradation(srf).forward(cube)
            extra.update(consistency(seen.lr_hsi, seen.hr_msi, degraded_hsi=low, degraded_msi=msi))
    if case.reference is None:
        yield "", extra, {}
        return
    for name in conventions:
        figures = evaluate(case.reference, fused, scale=seen.scale, convention=name)
        yield name, {**figures, **extra}, evaluate_bands(case.reference, fused, convention=name)


def compare_files(settings: Settings, failed: list[UmsftError]) -> Iterator[Row]:
    """Compares files and run folders with their truths; one that cannot be used does not stop the others.

    Args:
        settings: What is compared with what.
        failed: Takes the errors of results that cannot be used.

    Yields:
        One row per result and convention.

    Raises:
        ConfigError: No truth, no scale.
        DataError: A path without any result.
    """
    truths = Truths(settings)
    results = [item for path in settings.results for item in find_results(path, run_overrides(settings))]
    groups = _group_names(results)
    for found in results:
        try:
            result = read_result(found, settings)
            case = truths.case(found, settings.without_truth)
            if found.config is None and "band_order" in case.observation.meta and result.wavelengths_nm is None:
                what = "the truth's bands were sorted by wavelength, and the order of this file's is not known"
                hint = "store it as .mat or .npz with its wavelengths_nm"
                raise DataError(what, where=found.file, hint=hint)
            # A run's folders are named apart even where their scenes have one name (made up from several seeds).
            scene = case.observation.name if found.config is None else found.scene
            compared = compare(case, result.hr_hsi, settings.conventions, without_truth=settings.without_truth)
            rows = [Row(str(found.file), groups[found.folder], scene, *each) for each in compared]
        except DataError as error:
            named = str(found.file) in str(error)
            failed.append(error if named else DataError(str(error), where=found.file))
            continue
        yield from rows

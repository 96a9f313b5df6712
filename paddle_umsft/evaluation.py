"""Comparing fused results with the truth: files of any program, and run folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.config import Config, load_config
from paddle_umsft.data.readers import list_scenes, read_scene
from paddle_umsft.data.scene import Case, Observation
from paddle_umsft.data.settings import DataConfig
from paddle_umsft.degradation.observe import crop_to_scale
from paddle_umsft.degradation.spatial import SpatialDegradation
from paddle_umsft.degradation.spectral import SpectralDegradation
from paddle_umsft.errors import ConfigError, DataError, UmsftError
from paddle_umsft.metrics import consistency, evaluate, evaluate_bands, qnr
from paddle_umsft.run import make_case

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
        normalise: What the reference is divided by, where no run's config says so.
        result_normalise: What a result is divided by.
        layout: Order of the axes in all files.
        crop: [top, left, height, width] of the reference.
        without_truth: Add agreement with the observation, D_lambda, D_s and QNR.
        baselines: Run the baselines and presets on the same observation.
        presets: Names of the configurations to run beside the baselines.
        config: Configuration that says how the observation is simulated; None: the run's, or the defaults.
        overrides: `key.sub=value` on top of it.
    """

    results: Sequence[str] = ()
    reference: Optional[str] = None
    scale: Optional[int] = None
    conventions: Sequence[str] = ("author",)
    key: Optional[str] = None
    reference_key: Optional[str] = None
    normalise: Any = "max"
    result_normalise: Any = "none"
    layout: str = "auto"
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
    """A fused file and what is known about it."""

    file: Path
    group: str
    scene: str
    config: Optional[Config]


def _scene_folder(folder: Path, group: str) -> Optional[_Found]:
    """A scene's folder of a run: fused.npy or fused.mat, and its config.yml."""
    for name in RESULT_FILES:
        if (folder / name).is_file():
            config = folder / "config.yml"
            return _Found(folder / name, group, folder.name, load_config(config) if config.is_file() else None)
    return None


def find_results(path: str) -> list[_Found]:
    """Fused files that an argument stands for: a file, a scene's folder, a run's folder or a folder of files.

    Raises:
        DataError: Nothing there.
    """
    given = Path(path).expanduser()
    if given.is_file():
        one = _scene_folder(given.parent, given.parent.parent.name) if given.name in RESULT_FILES else None
        return [one or _Found(given, str(given), given.stem, None)]
    if not given.is_dir():
        raise DataError("no such file or folder", where=path)
    # The name of a path such as "." is empty until it is resolved.
    name = given.name or given.resolve().name
    alone = _scene_folder(given, given.resolve().parent.name)
    if alone is not None:
        return [alone]
    inside = [_scene_folder(folder, name) for folder in sorted(given.iterdir()) if folder.is_dir()]
    found = [item for item in inside if item is not None]
    if found:
        return found
    files = list_scenes(DataConfig(path=str(given)))
    return [_Found(Path(str(entry.settings.path)), name, entry.name, None) for entry in files]


def _data(base: DataConfig, **changes: Any) -> DataConfig:
    """Checked copy of a `data` section."""
    try:
        return DataConfig.model_validate({**base.model_dump(), **changes})
    except ValueError as error:
        raise ConfigError(str(error).splitlines()[-2].strip() if "\n" in str(error) else str(error)) from None


def divisor(text: str) -> Any:
    """The value of --normalise: max, dtype, none or a number.

    Raises:
        ConfigError: Anything else.
    """
    if text in ("max", "dtype", "none"):
        return text
    try:
        return float(text)
    except ValueError:
        raise ConfigError("no such normalisation", where=text, expected="max, dtype, none or a number") from None


def read_result(found: _Found, settings: Settings) -> np.ndarray:
    """Reads a fused cube, (H, W, C) float32, its bands as they are in the file."""
    data = _data(
        DataConfig(),
        path=str(found.file),
        key=settings.key,
        normalise=settings.result_normalise,
        layout="hwc" if found.config is not None else settings.layout,
    )
    return read_scene(data, str(found.file)).hr_hsi  # the name serves the messages


def _base_config(found: Optional[_Found], settings: Settings) -> Config:
    """Configuration of the observation: the one asked for, else the run's own, else the defaults; scale on top."""
    if settings.config is not None or found is None or found.config is None:
        config = load_config(settings.config, settings.overrides)
        if settings.config is None:
            data = _data(config.data, normalise=settings.normalise, layout=settings.layout)
            config = config.model_copy(update={"data": data})
    else:
        config = found.config
    if settings.scale is not None:
        if settings.scale < 2:
            raise ConfigError("not a scale factor", where="--scale", expected="a whole number >= 2", got=settings.scale)
        config = config.model_copy(update={"observe": config.observe.model_copy(update={"scale": settings.scale})})
    return config


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
        if given.crop is not None:
            changes["crop"] = given.crop
        config = config.model_copy(update={"data": _data(config.data, **changes)})
        if config.data.path is None:
            hint = "give --reference FILE" if not config.data.is_pair else "a given pair has none"
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
            if config.observe.scale is None and found.config is None and self.settings.config is None:
                raise ConfigError("the scale is not known", where="--scale", hint="ERGAS needs it: --scale S")
            self._kept = (known, make_case(entry, config) if observed else _truth_only(entry, config))
        return self._kept[1]


def _truth_only(entry: Any, config: Config) -> Case:
    """The truth without simulating an observation, which needs an SRF that may not fit."""
    scale = config.observe.scale or 8
    scene = crop_to_scale(read_scene(entry.settings, entry.name), scale)[0]
    nothing = np.zeros((1, 1, 1), np.float32)
    observation = Observation(nothing, nothing, scale, scene.name, wavelengths_nm=scene.wavelengths_nm)
    return Case(observation, reference=scene.hr_hsi)


def compare(case: Case, fused: np.ndarray, conventions: Sequence[str], *, without_truth: bool) -> Iterator[Any]:
    """Figures of one cube under each convention.

    Args:
        case: Truth and observation.
        fused: (H, W, C).
        conventions: Their names.
        without_truth: Add agreement with the observation, D_lambda, D_s and QNR.

    Yields:
        Convention, figures of the cube, figures per band.
    """
    seen, extra = case.observation, {}
    if without_truth:
        extra = qnr(fused, seen.lr_hsi, seen.hr_msi, scale=seen.scale)
        if case.true_psf is not None and case.true_srf is not None:
            cube = fused.astype(np.float64)
            low = SpatialDegradation(case.true_psf, seen.scale).forward(cube)
            msi = SpectralDegradation(case.true_srf).forward(cube)
            extra.update(consistency(seen.lr_hsi, seen.hr_msi, degraded_hsi=low, degraded_msi=msi))
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
    for found in [item for path in settings.results for item in find_results(path)]:
        try:
            fused = read_result(found, settings)
            case = truths.case(found, settings.without_truth)
            # A run's folders are named apart even where their scenes have one name (made up from several seeds).
            scene = case.observation.name if found.config is None else found.scene
            compared = compare(case, fused, settings.conventions, without_truth=settings.without_truth)
            rows = [Row(str(found.file), found.group, scene, *each) for each in compared]
        except DataError as error:
            named = str(found.file) in str(error)
            failed.append(error if named else DataError(str(error), where=found.file))
            continue
        yield from rows

"""Methods side by side on the same observation, and everything that `tools/eval.py` compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from paddle_umsft.compare.files import Row, Settings, Truths, compare, compare_files, find_results, run_overrides
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.readers import SceneEntry, list_scenes
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.errors import ConfigError, DataError, StoppedError, UmsftError
from paddle_umsft.machine.failures import in_one_line
from paddle_umsft.methods.table import run_method
from paddle_umsft.metrics import CONVENTIONS
from paddle_umsft.runs.folder import check_writable
from paddle_umsft.runs.run import make_case

BASELINES = ("bicubic", "gsa", "sfim", "cnmf")

Keep = Callable[[Case, dict[str, FusionResult]], None]


def candidates(base: Config, presets: Sequence[str], overrides: Sequence[str] = ()) -> list[tuple[str, Config]]:
    """Baselines and presets, each as a configuration with the data and observation of `base`.

    Args:
        base: Says which scene and how it is observed.
        presets: Names of configurations.
        overrides: `key.sub=value` on top of each preset's own settings; `base` has them already.

    Raises:
        ConfigError: No such configuration, or a method among the overrides.
    """
    if any(override.partition("=")[0].strip() == "method" for override in overrides):
        raise ConfigError("every method has its own row", where="-o method", hint="choose with --presets")
    chosen = [(name, base.model_copy(update={"method": name})) for name in BASELINES]
    same = {"data": base.data, "observe": base.observe, "seed": base.seed, "runtime": base.runtime}
    # What comes from `base` need not make sense on top of a preset alone.
    own = [override for override in overrides if override.partition("=")[0].partition(".")[0].strip() not in same]
    for name in presets:
        chosen.append((name, load_config(name, own).model_copy(update=same)))
    return chosen


def run_candidates(
    settings: Settings, failed: list[UmsftError], say: Callable[[str], None], keep: Optional[Keep] = None
) -> Iterator[Row]:
    """Runs baselines and presets on the scenes of the results, or on all scenes where no result is given.

    A scene or method that fails does not stop the others.

    Args:
        settings: What is run on what.
        failed: Takes the errors of scenes and methods that failed.
        say: Called with a line before each method.
        keep: Called with each scene's case and the results of all methods.

    Yields:
        One row per scene, method and convention.

    Raises:
        ConfigError: No scene, or no such preset.
    """
    for entry, config in _scenes(settings):
        chosen = candidates(config, settings.presets, settings.overrides)
        try:
            case = make_case(entry, config)
        except UmsftError as error:
            failed.append(error)
            continue
        results: dict[str, FusionResult] = {}
        for name, method in chosen:
            say(f"{entry.name}: {name} ...")
            try:
                with in_one_line(name):
                    results[name] = run_method(case.observation, method)
                fused, extra = results[name].fused, {"seconds": results[name].seconds}
                compared = list(compare(case, fused, settings.conventions, without_truth=settings.without_truth))
            except UmsftError as error:
                failed.append(type(error)(str(error), where=f"{entry.name}, {name}"))
                continue
            for convention, figures, bands in compared:
                yield Row(name, name, entry.name, convention, {**figures, **extra}, bands)
        if keep is not None and results:
            try:
                keep(case, results)
            except UmsftError as error:
                failed.append(error)
            except (MemoryError, OSError, RuntimeError, ValueError) as error:  # the table matters more
                failed.append(DataError("cannot be drawn or kept", where=entry.name, got=error))


def _scenes(settings: Settings) -> list[tuple[SceneEntry, Config]]:
    """The scenes to run on, each once, with the configuration that says how it is observed."""
    truths = Truths(settings)
    results = [item for path in settings.results for item in find_results(path, run_overrides(settings))]
    if not results:
        config = truths.config(None)
        return [(entry, config) for entry in list_scenes(config.data)]
    scenes: dict[str, tuple[SceneEntry, Config]] = {}
    for found in results:
        config = truths.config(found)
        try:
            entry = truths.entry(config, found.scene)
        except DataError:  # the comparison with this result has said so
            continue
        # A run's folders are named apart even where their scenes have one name (made up from several seeds).
        entry = entry if found.config is None else replace(entry, name=found.scene)
        scenes.setdefault(f"{entry!r} {config.observe!r} {config.seed}", (entry, config))
    return list(scenes.values())


def evaluate_all(
    settings: Settings, say: Callable[[str], None] = lambda line: None, keep: Optional[Keep] = None
) -> tuple[list[Row], list[UmsftError]]:
    """Compares all results, and baselines and presets if asked for, with their truths.

    Args:
        settings: What is compared with what.
        say: Called with a line before each method that is run.
        keep: Called with each scene's case and the results of all methods that were run on it.

    Returns:
        One row per result and convention, in the order given; and why others are missing. Where the user stops it, the
        rows so far, and a `StoppedError` among the reasons.

    Raises:
        ConfigError: Unknown convention, nothing to compare, no truth, no scale.
        DataError: A path without any result.
    """
    unknown = [name for name in settings.conventions if name not in CONVENTIONS]
    if unknown:
        raise ConfigError("unknown convention", where="--convention", expected=" | ".join(CONVENTIONS), got=unknown[0])
    if not settings.results and not settings.baselines:
        raise ConfigError("nothing to compare", where="results", hint="name files or run folders, or --baselines")
    failed: list[UmsftError] = []
    rows: list[Row] = []
    try:
        for row in compare_files(settings, failed):
            rows.append(row)
        if settings.baselines:
            for row in run_candidates(settings, failed, say, keep):
                rows.append(row)
    except KeyboardInterrupt:
        failed.append(StoppedError("interrupted: the comparison is not complete"))
    return rows, failed


def save_comparison(folder: str) -> Keep:
    """A `keep` for `evaluate_all` that saves a panel of all methods as PNG and PDF, and every fused cube.

    A given pair has no truth, and without one there is no panel.

    Args:
        folder: Files go to `<folder>/<scene>/`.

    Raises:
        DataError: The folder cannot be made or written to; said before anything is run.
    """
    check_writable(Path(folder).expanduser())

    def keep(case: Case, results: dict[str, FusionResult]) -> None:
        from paddle_umsft.figures import comparison, save_figure

        target = Path(folder).expanduser() / case.observation.name
        cubes = {name: result.fused for name, result in results.items()}
        try:
            target.mkdir(parents=True, exist_ok=True)
            for name, cube in cubes.items():
                np.save(target / f"{name}.npy", cube)
        except OSError as error:
            raise DataError("cannot be written", where=target, got=error, hint="choose another --output") from None
        if case.reference is not None:
            save_figure(comparison(case.observation, cubes, case.reference), target / "comparison")

    return keep

"""Methods side by side on the same observation, and everything that `tools/eval.py` compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from paddle_umsft.compare.files import Say, ScoredResult, compare_files, left_out, score
from paddle_umsft.compare.found import find_all_results
from paddle_umsft.compare.settings import Settings
from paddle_umsft.compare.truths import Truths
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import SceneEntry, list_scenes
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.errors import ConfigError, DataError, StoppedError, UmsftError
from paddle_umsft.machine.failures import as_own_error, in_one_line
from paddle_umsft.machine.files import write_whole
from paddle_umsft.methods.table import baselines, run_method
from paddle_umsft.metrics import find_convention
from paddle_umsft.runs.folder import check_writable
from paddle_umsft.runs.scene import make_case

Keep = Callable[[Case, dict[str, FusionResult]], None]


def candidates(
    base: Config,
    presets: Sequence[str],
    overrides: Sequence[str] = (),
) -> list[tuple[str, Config]]:
    """Return baselines and presets, each as a configuration with the data and observation of `base`.

    Args:
        base: Says which scene and how it is observed.
        presets: Names of configurations.
        overrides: `key.sub=value` on top of each preset's own settings; `base` has them already.

    Returns:
        Name and configuration of each.

    Raises:
        ConfigError: No such configuration, or a method among the overrides.
    """
    if any(_key(override) == "method" for override in overrides):
        raise ConfigError(
            "every method has its own row",
            where="-o method",
            hint="choose with --presets",
        )
    chosen = [(name, base.model_copy(update={"method": name})) for name in baselines()]
    same = {
        "data": base.data,
        "observe": base.observe,
        "seed": base.seed,
        "runtime": base.runtime,
    }
    # What comes from `base` need not make sense on top of a preset alone.
    own = [override for override in overrides if _section(override) not in same]
    for name in presets:
        preset = load_config(name, own)
        chosen.append((name, preset.model_copy(update=same)))
    return chosen


def _key(override: str) -> str:
    """Return the key of `key.sub=value`."""
    return override.partition("=")[0].strip()


def _section(override: str) -> str:
    """Return the first part of the key of `key.sub=value`."""
    return _key(override).partition(".")[0].strip()


def run_candidates(
    settings: Settings,
    failed: list[UmsftError],
    say: Say,
    keep: Optional[Keep] = None,
) -> Iterator[ScoredResult]:
    """Run baselines and presets on the scenes of the results, or on all scenes where no result is given.

    A scene or method that fails does not stop the others.

    Args:
        settings: What is run on what.
        failed: Takes the errors of scenes and methods that failed.
        say: Called with a line before each method.
        keep: Called with each scene's case and the results of all methods.

    Yields:
        One for each scene, method and convention.

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

        for line in left_out(case):
            say(f"{entry.name}: {line}")
        results: dict[str, FusionResult] = {}
        for name, method in chosen:
            say(f"{entry.name}: {name} ...")
            try:
                with in_one_line(name):
                    results[name] = run_method(case.observation, method)
                scored = score(case, results[name].fused, settings, file=name, group=name, scene=entry.name)
            except UmsftError as error:
                failed.append(type(error)(str(error), where=f"{entry.name}, {name}"))
                continue
            for row in scored:
                yield replace(row, figures={**row.figures, "seconds": results[name].seconds})

        if keep is not None and results:
            try:
                with in_one_line(entry.name):
                    keep(case, results)
            except Exception as error:  # the table matters more, whatever a picture stumbles over
                failed.append(as_own_error(error))


def _scenes(settings: Settings) -> list[tuple[SceneEntry, Config]]:
    """Return the scenes to run on, each once, with the configuration that says how it is observed."""
    truths = Truths(settings)
    results = find_all_results(settings)
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
        if found.config is not None:
            # A run's folders are named apart even where their scenes have one name (made up from several seeds).
            entry = replace(entry, name=found.scene)
        seen_as = f"{entry!r} {config.observe!r} {config.seed}"
        scenes.setdefault(seen_as, (entry, config))
    return list(scenes.values())


def evaluate_all(
    settings: Settings,
    say: Say = lambda line: None,
    keep: Optional[Keep] = None,
) -> tuple[list[ScoredResult], list[UmsftError]]:
    """Compare all results, and baselines and presets if asked for, with their truths.

    Args:
        settings: What is compared with what.
        say: Called with a line before each method that is run, and where a file would fit far better otherwise.
        keep: Called with each scene's case and the results of all methods that were run on it.

    Returns:
        One row per result and convention, in the order given; and why others are missing. Where the user stops it, the
        rows so far, and a `StoppedError` among the reasons.

    Raises:
        ConfigError: Unknown convention, nothing to compare, no truth, no scale.
        DataError: A path without any result.
    """
    for name in settings.conventions:
        find_convention(name, where="--convention")
    if not settings.results and not settings.baselines:
        raise ConfigError(
            "nothing to compare",
            where="results",
            hint="name files or run folders, or --baselines",
        )

    failed: list[UmsftError] = []
    rows: list[ScoredResult] = []
    try:
        for row in compare_files(settings, failed, say):
            rows.append(row)
        if settings.baselines:
            for row in run_candidates(settings, failed, say, keep):
                rows.append(row)
    except KeyboardInterrupt:
        failed.append(StoppedError("interrupted: the comparison is not complete"))
    return rows, failed


def save_comparison(folder: str) -> Keep:
    """Return a `keep` for `evaluate_all` that saves a panel of all methods as PNG and PDF, and every fused cube.

    A given pair has no truth, and without one there is no panel.

    Args:
        folder: Files go to `<folder>/<scene>/`.

    Raises:
        DataError: The folder cannot be made or written to; said before anything is run.
    """
    root = Path(folder).expanduser()
    check_writable(root)

    def keep(case: Case, results: dict[str, FusionResult]) -> None:
        from paddle_umsft.figures import comparison, save_figure

        target = root / case.observation.name
        cubes = {name: result.fused for name, result in results.items()}
        for name, cube in cubes.items():
            _save_cube(target / f"{name}.npy", cube)
        if case.reference is not None:
            panel = comparison(case.observation, cubes, case.reference)
            save_figure(panel, target / "comparison")

    return keep


def _save_cube(path: Path, cube: np.ndarray) -> None:
    """Write a cube as .npy, whole or not at all.

    Raises:
        DataError: It cannot be written.
    """
    write_whole(path, lambda temporary: np.save(temporary, cube), hint="choose another --output")

"""Comparing fused results with the truth: files of any program, and run folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from paddle_umsft.cameras.observe import border_of
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.compare.found import FoundResult, find_all_results, group_names
from paddle_umsft.compare.hints import check_upright, hints
from paddle_umsft.compare.settings import Settings, changed_data, option_for_layout
from paddle_umsft.compare.truths import Truths
from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.masks import judged_pixels
from paddle_umsft.data.reading import read_scene
from paddle_umsft.data.scene import Case, Scene
from paddle_umsft.errors import DataError, UmsftError
from paddle_umsft.metrics import consistency, evaluate, evaluate_bands, live_bands, qnr

Say = Callable[[str], None]
# Files of numbers alone, which name no value that means "no data".
BARE_SUFFIXES = (".npy", ".npz", ".mat")


@dataclass(frozen=True)
class ScoredResult:
    """One result under one convention: a row of the tables.

    Attributes:
        file: The file, or the method that was run.
        group: Results of one group are averaged over scenes: a run, a folder of results or a method.
        scene: Name of the scene.
        convention: Name of the convention; empty where there is no truth.
        figures: Figure by name.
        bands: Figure of each band by name, (C,) each.
    """

    file: str
    group: str
    scene: str
    convention: str
    figures: dict[str, float]
    bands: dict[str, np.ndarray] = field(default_factory=dict)


def read_result(found: FoundResult, settings: Settings) -> Scene:
    """Read a fused cube, (H, W, C) float32, its bands as they are in the file or sorted by its own wavelengths.

    Args:
        found: Where it is.
        settings: Say how it is to be read.

    Raises:
        ConfigError: A setting that is not allowed.
        DataError: It cannot be read.
    """
    layout = settings.layout or "auto"
    if found.config is not None:
        layout = "hwc"  # as a run writes it
    changes = {
        "path": str(found.file),
        "key": settings.key,
        "normalise": settings.result_normalise,
        "layout": layout,
    }
    name = str(found.file)  # serves the messages
    # Of bare numbers zeros and constant bands are the method's own, and count.
    if found.file.suffix.lower() in BARE_SUFFIXES:
        bare = {**changes, "no_data": "none", "bad_bands": "none"}
        with option_for_layout():
            scene = read_scene(changed_data(DataConfig(), bare, option_prefix="--result-"), name)
        # What names a number for "no data", in a header beside it or in an array of its own, is no bare one.
        if scene.facts is None or scene.facts.no_data is None:
            return scene
    with option_for_layout():
        return read_scene(changed_data(DataConfig(), changes, option_prefix="--result-"), name)


def score(
    case: Case,
    fused: np.ndarray,
    settings: Settings,
    *,
    file: str,
    group: str,
    scene: str,
) -> list[ScoredResult]:
    """Return the figures of one cube under each convention.

    Args:
        case: Truth and observation.
        fused: (H, W, C).
        settings: Its conventions, and whether agreement with the observation, D_lambda, D_s and QNR are added.
        file: The file, or the method that was run.
        group: A run, a folder of results or a method.
        scene: Name of the scene.

    Returns:
        One for each convention; where there is no truth only one, of no convention.

    Raises:
        DataError: The cube does not fit the truth or the observation, or has NaN.
    """
    of_observation: dict[str, float] = {}
    if settings.without_truth:
        of_observation = _figures_without_truth(case, fused)
    if case.reference is None:
        return [
            ScoredResult(
                file=file,
                group=group,
                scene=scene,
                convention="",
                figures=of_observation,
            )
        ]

    scored = []
    for convention in settings.conventions:
        valid = judged_pixels(case)
        against_truth = evaluate(
            case.reference,
            fused,
            scale=case.observation.scale,
            convention=convention,
            valid=valid,
        )
        result = ScoredResult(
            file=file,
            group=group,
            scene=scene,
            convention=convention,
            figures={**against_truth, **of_observation},
            bands=evaluate_bands(case.reference, fused, convention=convention, valid=valid),
        )
        scored.append(result)
    return scored


def _figures_without_truth(case: Case, fused: np.ndarray) -> dict[str, float]:
    """Return QNR and its parts, and agreement with the observation where PSF and SRF are known."""
    seen = case.observation
    figures = qnr(
        fused,
        seen.lr_hsi,
        seen.hr_msi,
        scale=seen.scale,
    )
    # What the simulation used is right; what the method was told need not be.
    psf = case.true_psf
    if psf is None:
        psf = seen.psf
    srf = case.true_srf
    if srf is None:
        srf = seen.srf
    if psf is None or srf is None:
        return figures
    cube = fused.astype(np.float64)
    low = SpatialDegradation(psf, seen.scale, border_of(seen)).forward(cube)  # (h, w, C)
    msi = SpectralDegradation(srf).forward(cube)  # (H, W, M)
    figures.update(
        consistency(
            seen.lr_hsi,
            seen.hr_msi,
            degraded_hsi=low,
            degraded_msi=msi,
            mask_hsi=seen.mask_hsi,
            mask_msi=seen.mask_msi,
        )
    )
    return figures


def compare_files(
    settings: Settings,
    failed: list[UmsftError],
    say: Say,
) -> Iterator[ScoredResult]:
    """Compare files and run folders with their truths; one that cannot be used does not stop the others.

    Args:
        settings: What is compared with what.
        failed: Takes the errors of results that cannot be used.
        say: Called with a line where a result would fit far better in other units, or lying on its side.

    Yields:
        One for each result and convention.

    Raises:
        ConfigError: No truth, no scale.
        DataError: A path without any result.
    """
    truths = Truths(settings)
    results = find_all_results(settings)
    groups = group_names(results)
    for found in results:
        try:
            scored = _compare_file(found, groups[found.folder], truths, say)
        except DataError as error:
            failed.append(_naming_file(error, found))
            continue
        yield from scored


def _compare_file(
    found: FoundResult,
    group: str,
    truths: Truths,
    say: Say,
) -> list[ScoredResult]:
    """Return the figures of one file, and say what would make them far better.

    Raises:
        ConfigError: No truth, no scale.
        DataError: File or truth cannot be used.
    """
    settings = truths.settings
    result = read_result(found, settings)
    case = truths.case(found, settings.without_truth)
    is_foreign = found.config is None
    was_sorted = np.any(np.diff(case.observation.meta.get("band_order", [])) < 0)
    if is_foreign and was_sorted and result.wavelengths_nm is None:
        what = "the truth's bands were sorted by wavelength, and the order of this file's is not known"
        hint = "store it as .mat or .npz with its wavelengths_nm"
        raise DataError(what, where=found.file, hint=hint)
    # A run's folders are named apart even where their scenes have one name (made up from several seeds).
    scene = case.observation.name if is_foreign else found.scene
    fused = result.hr_hsi
    if is_foreign and settings.transposed:
        fused = fused.swapaxes(0, 1)  # (W, H, C) -> (H, W, C)
    if case.reference is not None:
        check_upright(case.reference, fused, where=str(found.file))
    scored = score(case, fused, settings, file=str(found.file), group=group, scene=scene)
    # After the figures, which refuse what cannot be compared at all.
    if case.reference is not None:
        for hint in hints(case.reference, fused):
            say(f"{found.file}: {hint}")
        for line in left_out(case):
            say(f"{found.file}: {line}")
    return scored


def left_out(case: Case) -> list[str]:
    """Say of how many bands PSNR is a mean, where some are dead in the truth."""
    if case.reference is None:
        return []
    live = live_bands(case.reference, judged_pixels(case))
    if live.all():
        return []
    dead = ", ".join(map(str, np.flatnonzero(~live)))
    return [
        f"PSNR is a mean of {int(live.sum())} of {len(live)} bands: the truth is constant in {dead} (counted from 0)"
    ]


def _naming_file(error: DataError, found: FoundResult) -> DataError:
    """Return an error that names the file it came from."""
    if str(found.file) in str(error):
        return error
    return DataError(str(error), where=found.file)

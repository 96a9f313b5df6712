"""report.html: a run on one page that opens from the disk. Pictures are inside; nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import quote

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.natural import natural
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.machine.files import write_text
from paddle_umsft.metrics.figures import title_of
from paddle_umsft.runs.folder import OUTPUT_HINT, finished_scenes
from paddle_umsft.runs.page import PagePicture, PageTable, picture_of, render, shown_facts, thumbnail
from paddle_umsft.runs.summary import BICUBIC_FIGURES, bicubic_column, mean_row, scene_rows, spread_row
from paddle_umsft.runs.trust import VERDICT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT = "report.html"

# Values of `Observation.meta` that tell nothing.
_EMPTY: tuple[Any, ...] = (None, [], ())


@dataclass(frozen=True)
class SceneLink:
    """A scene on the page of its run.

    Attributes:
        name: Its name.
        address: Of its own page, from here.
        picture: Its overview, made smaller, as a data URI.
    """

    name: str
    address: str
    picture: str


def scene_report(
    case: Case,
    result: FusionResult,
    metrics: Mapping[str, Any],
    config: Config,
    figures: Mapping[str, Figure],
    bicubic: Optional[np.ndarray] = None,
) -> str:
    """Return the page of one scene.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
        metrics: Content of metrics.json.
        config: All settings.
        figures: Pictures that the run made already: `overview`, `spectra`, `psf_srf`, as far as they exist.
        bicubic: (H, W, C) bicubic's cube, to be compared with in the maps.

    Returns:
        HTML.
    """
    seen = case.observation
    height, width = seen.shape
    about_method = {"seconds": f"{result.seconds:.2f}", "seed": config.seed, **result.extras}
    return render(
        "scene.html",
        config,
        title=seen.name,
        subtitle=(
            f"{result.method}, ×{seen.ratio}, {height}×{width}, "
            f"{seen.bands} HSI bands, {seen.msi_bands} MSI bands"
        ),
        verdict=metrics.get(VERDICT),
        notes=_notes(result),
        against_truth=_truth_table(metrics),
        consistency=_consistency_table(metrics),
        pictures=_scene_pictures(case, result, figures, bicubic),
        steps=_steps_table(result.history),
        observation=shown_facts(_observation_facts(case)),
        method=shown_facts(about_method),
    )  # fmt: skip


def _notes(result: FusionResult) -> list[str]:
    """Return what a user should know beside the verdict: what was found and undone, and what was not used."""
    line = ""
    if result.verdict is not None:
        line = result.verdict.line
    return [note for note in result.notes if note != line]


def write_scene_report(folder: Path, text: str) -> None:
    """Write a scene's page, whole or not at all.

    Args:
        folder: The scene's folder.
        text: HTML.

    Raises:
        DataError: If it cannot be written.
    """
    write_text(folder / REPORT, text, hint=OUTPUT_HINT)


def write_run_report(
    folder: Path,
    config: Config,
    failed: Optional[Mapping[str, str]] = None,
) -> None:
    """Write the page of a whole run: a row per finished scene, their mean, and what failed.

    Args:
        folder: The run's folder; finished scenes are those with a metrics.json.
        config: All settings.
        failed: Scene -> why it could not be fused.

    Raises:
        DataError: If it cannot be written.
    """
    # As people count: scene 2 before scene 10.
    found = finished_scenes(folder)
    finished = {name: found[name] for name in sorted(found, key=natural)}
    scenes = "1 scene" if len(finished) == 1 else f"{len(finished)} scenes"
    text = render(
        "run.html",
        config,
        title=f"Run {folder.name}",
        subtitle=f"{config.method}, {scenes} fused",
        scenes=_scenes_table(finished),
        failed=failed or {},
        links=_scene_links(folder, list(finished)),
    )
    write_text(folder / REPORT, text, hint=OUTPUT_HINT)


def _scene_pictures(
    case: Case,
    result: FusionResult,
    figures: Mapping[str, Figure],
    bicubic: Optional[np.ndarray],
) -> list[PagePicture]:
    """Return the pictures of a scene's page, in their order."""
    from paddle_umsft.figures import curves
    from paddle_umsft.figures.curves import has_curves

    pictures = []
    if "overview" in figures:
        pictures.append(picture_of(figures["overview"], "What the cameras saw, and what came out", file="overview.png"))
    if case.reference is not None:
        cubes = {result.method: result.fused}
        if bicubic is not None:
            cubes["bicubic"] = bicubic
        pictures += _error_pictures(cubes, case.reference, case.observation.wavelengths_nm)
    if "expected_error" in figures:
        caption = "Judged without the truth; the values are in expected_error.npy if output.trust is on."
        expected = figures["expected_error"]
        pictures.append(picture_of(expected, "Expected error", caption=caption, file="expected_error.png"))
    if "spectra" in figures:
        pictures.append(picture_of(figures["spectra"], "Spectra", file="spectra.png"))
    if "psf_srf" in figures:
        pictures.append(picture_of(figures["psf_srf"], "PSF and SRF", file="psf_srf.png"))
    if has_curves(result.history):
        caption = f"{len(result.history)} records, also in history.csv"
        pictures.append(picture_of(curves(result.history), "Curves", caption=caption))
    return pictures


def _error_pictures(
    cubes: Mapping[str, np.ndarray],
    truth: np.ndarray,
    wavelengths_nm: Optional[np.ndarray],
) -> list[PagePicture]:
    """Return the maps of what cubes miss of the truth, and the error of each band."""
    from paddle_umsft.figures import error_maps, residual_per_band, sam_maps

    errors = error_maps(cubes, truth)
    angles = sam_maps(cubes, truth)
    residuals = residual_per_band(cubes, truth, wavelengths_nm=wavelengths_nm)
    grey = "Pixels without any light have none: grey."
    return [
        picture_of(errors, "Error", kind="maps"),
        picture_of(angles, "Spectral angle", caption=grey, kind="maps"),
        picture_of(residuals, "Error of each band"),
    ]


def _truth_table(metrics: Mapping[str, Any]) -> Optional[PageTable]:
    """Return the figures of the method and of bicubic against the truth; None where there is none."""
    by_method = [(metrics.get("method"), metrics.get("fused")), ("bicubic", metrics.get("bicubic"))]
    measured = [(method, figures) for method, figures in by_method if figures]
    if not measured:
        return None
    names = list(measured[0][1])
    rows = []
    for method, figures in measured:
        rows.append([method, *(figures.get(name, "") for name in names)])
    columns = ["", *(title_of(name) for name in names)]
    return PageTable.of(columns, rows, f"Against the truth; convention: {metrics.get('convention')}")


def _consistency_table(metrics: Mapping[str, Any]) -> Optional[PageTable]:
    """Return how well the result agrees with the observation; None where PSF or SRF is not known."""
    figures = metrics.get("consistency")
    if not figures:
        return None
    columns = ["", *(title_of(name) for name in figures)]
    row = [metrics.get("method"), *figures.values()]
    caption = "How well the result, degraded by the PSF and SRF below, agrees with the two images"
    return PageTable.of(columns, [row], caption)


def _steps_table(history: Sequence[Mapping[str, Any]]) -> Optional[PageTable]:
    """Return the records of a run that are too few for curves; None where there are curves or no records."""
    from paddle_umsft.figures.curves import has_curves

    if not history or has_curves(history):
        return None
    columns = list(dict.fromkeys(name for record in history for name in record))
    rows = [[record.get(name, "") for name in columns] for record in history]
    return PageTable.of(columns, rows)


def _scenes_table(finished: Mapping[str, Mapping[str, Any]]) -> Optional[PageTable]:
    """Return a row for each finished scene and, of several, their mean; None where none is finished."""
    rows = scene_rows(finished)
    if not rows:
        return None
    if len(rows) > 1:
        mean = mean_row(rows)
        spread = spread_row(rows)
        if mean is not None and spread is not None:
            rows += [mean, spread]
    # The figures of the first scene that has a truth, then what every table ends with.
    with_truth = [metrics["fused"] for metrics in finished.values() if metrics.get("fused")]
    names = list(with_truth[0]) if with_truth else []
    titles = {"scene": "scene", "method": "method", "convention": "convention"}
    for name in names:
        titles[name] = title_of(name)
    for name in BICUBIC_FIGURES:
        titles[bicubic_column(name)] = f"bicubic {title_of(name)}"
    titles["seconds"] = "seconds"
    cells = [[row.get(name, "") for name in titles] for row in rows]
    # What a scene has not is an empty cell; what JSON could not hold (infinity) is shown by the sign for none.
    table = PageTable.of(list(titles.values()), cells)
    return replace(table, addresses={name: _address(name) for name in finished})


def _address(name: str) -> str:
    """Return the address of a scene's page from that of its run."""
    return f"{quote(name)}/{REPORT}"


def _scene_links(folder: Path, names: Sequence[str]) -> list[SceneLink]:
    """Return the links to the pages of the scenes that have a picture."""
    links = []
    for name in names:
        picture = thumbnail(folder / name / "overview.png")
        if picture is not None:
            links.append(
                SceneLink(
                    name=name,
                    address=_address(name),
                    picture=picture,
                )
            )
    return links


def _observation_facts(case: Case) -> dict[str, Any]:
    """Return what is known about the two images, by name."""
    seen = case.observation
    facts: dict[str, Any] = {
        "LR-HSI": _sizes(seen.lr_hsi),
        "HR-MSI": _sizes(seen.hr_msi),
        "scale": seen.scale,
        "wavelengths": "not known",
        "PSF": _known_or_estimated(seen.psf),
        "SRF": _known_or_estimated(seen.srf),
        "supports (HSI bands)": "not known",
    }
    nm = seen.wavelengths_nm
    if nm is not None:
        facts["wavelengths"] = f"{nm[0]:g}–{nm[-1]:g} nm"
    if seen.supports is not None:
        facts["supports (HSI bands)"] = [list(support) for support in seen.supports]
    for name, value in seen.meta.items():
        if value not in _EMPTY:
            facts[name] = value
    return facts


def _sizes(cube: np.ndarray) -> str:
    """Return a cube's shape as people write it."""
    return "×".join(str(size) for size in cube.shape)


def _known_or_estimated(camera: Optional[np.ndarray]) -> str:
    """Return where a method has the PSF or SRF from."""
    if camera is None:
        return "estimated, where the method needs it"
    return "known"

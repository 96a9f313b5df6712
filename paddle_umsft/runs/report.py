"""report.html of a scene: one page that opens from the disk. Pictures are inside; nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.machine.files import write_text
from paddle_umsft.metrics.figures import title_of
from paddle_umsft.runs.facts import method_facts, observation_facts
from paddle_umsft.runs.folder import OUTPUT_HINT
from paddle_umsft.runs.page import REPORT, PagePicture, PageTable, for_phones_too, picture_of, render
from paddle_umsft.runs.trust import VERDICT
from paddle_umsft.runs.viewer import Viewer, make_viewer
from paddle_umsft.runs.words import PHRASES, Text, Words, verdict_words

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class _Kind:
    """One of the pictures of a scene's page.

    Attributes:
        name: Of its file, without the ending.
        title: Heading.
        caption: A line below.
        kind: Class that the page's style knows.
    """

    name: str
    title: Words
    caption: Text = ""
    kind: str = ""


# In the order of the page.
_KINDS = (
    _Kind("overview", Words("What the cameras saw, and what came out", "两台相机看到的，以及融合结果"), kind="broad"),
    _Kind("error", Words("Error", "误差"), kind="maps"),
    _Kind(
        "angle",
        Words("Spectral angle", "光谱角"),
        caption=Words("Pixels without any light have none: grey.", "没有光的像素没有光谱角，显示为灰色。"),
        kind="maps",
    ),
    _Kind("error_per_band", Words("Error of each band", "各波段的误差")),
    _Kind(
        "expected_error",
        Words("Expected error", "预期误差"),
        caption=Words(
            "Judged without the truth; the values are in expected_error.npy if output.trust is on.",
            "不使用真值估计；output.trust 打开时，数值保存在 expected_error.npy 中。",
        ),
        kind="broad",
    ),
    _Kind("spectra", Words("Spectra", "光谱"), kind="broad"),
    _Kind("psf_srf", Words("PSF and SRF", "PSF 与 SRF"), kind="broad"),
    _Kind(
        "curves",
        Words("Curves", "曲线"),
        caption=Words("All records are in history.csv.", "全部记录见 history.csv。"),
    ),
)
# Sections of the page that stand after the pictures; a template knows them by the same names.
_LAST_SECTIONS = ("observation", "method", "configuration", "versions")


def scene_report(
    case: Case,
    result: FusionResult,
    metrics: Mapping[str, Any],
    config: Config,
    pictures: Mapping[str, bytes],
    stacked: Optional[Mapping[str, Image]] = None,
) -> str:
    """Return the page of one scene.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
        metrics: Content of metrics.json.
        config: All settings.
        pictures: PNG files by their names, as far as they exist.
        stacked: What a narrow screen shows in place of some of them.

    Returns:
        HTML.
    """
    given = case.observation
    height, width = given.shape
    verdict = metrics.get(VERDICT)
    line: Optional[Words] = None
    if verdict is not None:
        line = verdict_words(verdict)
    viewer = _viewer(case, result)
    shown = for_phones_too(_pictures(pictures), stacked or {})
    steps = _steps_table(result.history)
    return render(
        "scene.html",
        config=config,
        title=given.name,
        subtitle=Words(
            f"{result.method}, ×{given.ratio}, {height}×{width}, {given.bands} HSI bands, {given.msi_bands} MSI bands",
            f"{result.method}，×{given.ratio}，{height}×{width}，HSI {given.bands} 波段，MSI {given.msi_bands} 波段",
        ),
        verdict=verdict,
        verdict_line=line,
        notes=_notes(result),
        against_truth=_truth_table(metrics),
        consistency=_consistency_table(metrics),
        viewer=viewer,
        pictures=shown,
        steps=steps,
        observation=observation_facts(case, result),
        method=method_facts(result, config),
        contents=_contents(viewer, shown, steps),
        unused=_unused_settings(case),
    )


def _contents(
    viewer: Optional[Viewer],
    pictures: Sequence[PagePicture],
    steps: Optional[PageTable],
) -> list[tuple[str, Text]]:
    """Return the sections of the page in their order: anchor and heading."""
    contents: list[tuple[str, Text]] = [("quality", PHRASES["quality"])]
    if viewer is not None:
        contents.append(("look_closer", PHRASES["look_closer"]))
    contents += [(picture.name, picture.title) for picture in pictures]
    if steps is not None:
        contents.append(("steps", PHRASES["steps"]))
    contents += [(name, PHRASES[name]) for name in _LAST_SECTIONS]
    return contents


def _viewer(case: Case, result: FusionResult) -> Optional[Viewer]:
    """Return what one can look into; None where the pair does not lie under the result."""
    # As it was fused: turned, cut and moved to where it fits.
    seen = result.pair or case.observation
    if seen.shape != result.fused.shape[:2] or seen.bands != result.fused.shape[2]:
        return None
    truth = case.reference
    if truth is not None and truth.shape != result.fused.shape:
        truth = None
    return make_viewer(seen, result, truth, case.mask)


def _unused_settings(case: Case) -> Text:
    """Say which settings of a simulation a given pair has no use for; nothing where it was simulated."""
    seen = case.observation
    # What was made in memory, by `fuse` or a test, tells nothing of it.
    if seen.meta.get("simulated", True):
        return ""
    unused = ["snr_hsi_db", "snr_msi_db"]
    if seen.psf is None:
        unused.insert(0, "psf")
    if seen.srf is None:
        unused.insert(0, "srf")
    listed = ", ".join(f"observe.{name}" for name in unused)
    return Words(
        f"Not used, as the pair is given: {listed}.",
        f"图像对是给定的，以下配置没有用到：{listed}。",
    )


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


def _pictures(files: Mapping[str, bytes]) -> list[PagePicture]:
    """Return the pictures of a scene's page, in their order."""
    pictures = []
    for kind in _KINDS:
        if kind.name in files:
            picture = picture_of(
                files[kind.name],
                kind.title,
                name=kind.name,
                caption=kind.caption,
                kind=kind.kind,
                file=f"{kind.name}.png",
            )
            pictures.append(picture)
    return pictures


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
    convention = metrics.get("convention")
    caption = Words(f"Against the truth; convention: {convention}", f"与真值比较；指标约定：{convention}")
    return PageTable.of(columns, rows, caption)


def _consistency_table(metrics: Mapping[str, Any]) -> Optional[PageTable]:
    """Return how well the result agrees with the observation; None where PSF or SRF is not known."""
    figures = metrics.get("consistency")
    if not figures:
        return None
    columns = ["", *(title_of(name) for name in figures)]
    row = [metrics.get("method"), *figures.values()]
    caption = Words(
        "How well the result, degraded by the PSF and SRF below, agrees with the two images",
        "结果按下面的 PSF 与 SRF 退化后，与两幅输入图像的一致程度",
    )
    return PageTable.of(columns, [row], caption)


def _steps_table(history: Sequence[Mapping[str, Any]]) -> Optional[PageTable]:
    """Return the records of a run that are too few for curves; None where there are curves or no records."""
    from paddle_umsft.figures.curves import has_curves

    if not history or has_curves(history):
        return None
    columns = list(dict.fromkeys(name for record in history for name in record))
    rows = [[record.get(name, "") for name in columns] for record in history]
    return PageTable.of(columns, rows)

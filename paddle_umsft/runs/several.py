"""A page over several runs: their means over the scenes that all of them have, and scene by scene."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from paddle_umsft.data.natural import natural
from paddle_umsft.errors import DataError
from paddle_umsft.machine.files import write_text
from paddle_umsft.metrics.figures import measure_of, number_of, title_of
from paddle_umsft.metrics.summary import mean_over_scenes
from paddle_umsft.runs.folder import CONFIG, finished_scenes
from paddle_umsft.runs.page import REPORT, PageTable, render
from paddle_umsft.runs.run_page import COLUMNS
from paddle_umsft.runs.words import PHRASES, Text, Words

# What is compared scene by scene.
SCENE_FIGURES = ("PSNR", "SAM")
_HINT = "give the folders of runs, such as output/cave, each with at least one finished scene"

_SECONDS = "seconds"
_RUN = Words("run", "运行")
_SCENES = Words("scenes", "场景数")


@dataclass(frozen=True)
class KnownRun:
    """A run, as far as its folder tells.

    Attributes:
        name: What it is called on the page.
        folder: Of the run.
        finished: Content of metrics.json by the scene's name.
    """

    name: str
    folder: Path
    finished: Mapping[str, Mapping[str, Any]]

    def figures(self, scene: str) -> Mapping[str, Any]:
        """Return the figures of a scene against its truth; empty where there is none."""
        return self.finished[scene].get("fused") or {}

    def values(self, name: str, scenes: Sequence[str]) -> list[Any]:
        """Return a figure, or the seconds, of each of these scenes; None where a scene has none."""
        if name == _SECONDS:
            return [self.finished[scene].get(name) for scene in scenes]
        return [self.figures(scene).get(name) for scene in scenes]

    def words(self, key: str) -> str:
        """Return what stands under a key in all scenes: the method, mostly one."""
        found = [str(metrics.get(key, "")) for metrics in self.finished.values()]
        return ", ".join(dict.fromkeys(found))


def read_runs(folders: Sequence[Path]) -> list[KnownRun]:
    """Read what runs have left.

    Args:
        folders: Of the runs.

    Raises:
        DataError: One of them holds no run, or no finished scene.
    """
    runs = []
    names = _names_of(folders)
    for folder, name in zip(folders, names):
        if not folder.is_dir():
            raise DataError("no such folder", where=folder, hint=_HINT)
        finished = finished_scenes(folder)
        if not finished:
            got = "no finished scene in it"
            if not (folder / CONFIG).is_file():
                got = f"neither {CONFIG} nor a finished scene in it"
            raise DataError("no run to report", where=folder, got=got, hint=_HINT)
        runs.append(
            KnownRun(
                name=name,
                folder=folder,
                finished=finished,
            )
        )
    return runs


def _names_of(folders: Sequence[Path]) -> list[str]:
    """Return names of runs: of their folders, or as much of the path as tells them apart."""
    whole = [folder.resolve() for folder in folders]
    short = [folder.name for folder in whole]
    are_different = len(set(short)) == len(short)
    if are_different:
        return short
    return [folder.as_posix() for folder in folders]


def write_runs_report(runs: Sequence[KnownRun], target: Path) -> None:
    """Write the page of several runs.

    Args:
        runs: In the order of the page.
        target: HTML file.

    Raises:
        DataError: It cannot be written.
    """
    names = [run.name for run in runs]
    common = common_scenes(runs)
    by_scene = []
    for figure in SCENE_FIGURES:
        table = _scene_table(runs, figure)
        if table is not None:
            by_scene.append(table)
    contents: list[tuple[str, Text]] = [("runs", PHRASES["runs"])]
    if by_scene:
        contents.append(("scene_by_scene", PHRASES["scene_by_scene"]))
    contents.append(("versions", PHRASES["versions"]))
    text = render(
        "several.html",
        title=", ".join(names),
        subtitle=Words(
            f"{len(runs)} runs, {len(common)} scenes that all of them have",
            f"{len(runs)} 次运行，共有的场景 {len(common)} 个",
        ),
        runs=_runs_table(runs, common, target),
        by_scene=by_scene,
        contents=contents,
    )
    write_text(target, text, hint="-o FILE")


def common_scenes(runs: Sequence[KnownRun]) -> list[str]:
    """Return the scenes that all runs have finished, as people count.

    Args:
        runs: At least one.
    """
    common = set(runs[0].finished)
    for run in runs[1:]:
        common &= set(run.finished)
    return sorted(common, key=natural)


def _runs_table(
    runs: Sequence[KnownRun],
    common: Sequence[str],
    target: Path,
) -> PageTable:
    """Return a row for each run: method, convention, mean and spread of each figure, seconds a scene."""
    names = _figures_of(runs, common)
    columns: list[Text] = [
        _RUN,
        COLUMNS["method"],
        COLUMNS["convention"],
        _SCENES,
    ]
    # Of each column of figures the place, to mark the best in it.
    place_of = {}
    for name in names:
        place_of[name] = len(columns)
        columns.append(title_of(name))
    columns.append(COLUMNS["seconds"])
    rows = [_run_row(run, names, common) for run in runs]
    best: set[tuple[int, int]] = set()
    conventions = {run.words("convention") for run in runs}
    # Decibels of two conventions are not compared.
    if len(conventions) == 1:
        for name, place in place_of.items():
            means = [_mean(name, run, common) for run in runs]
            for row in _best_of(name, means):
                best.add((row, place))
    return PageTable(
        columns=columns,
        rows=rows,
        caption=Words(
            "Mean ± standard deviation over the scenes that all runs have; the best in bold",
            "所有运行共有场景上的均值 ± 标准差，最好的用粗体",
        ),
        addresses=_addresses(runs, target),
        best=frozenset(best),
    )


def _run_row(
    run: KnownRun,
    names: Sequence[str],
    common: Sequence[str],
) -> list[Text]:
    """Return the cells of a run."""
    row: list[Text] = [
        run.name,
        run.words("method"),
        run.words("convention"),
        str(len(run.finished)),
    ]
    for name in [*names, _SECONDS]:
        mean = _mean(name, run, common)
        words = number_of(name, mean)
        values = run.values(name, common)
        found = mean_over_scenes(values)
        # Of a single scene there is no deviation, and of a mean that is missing none is told.
        if mean is not None and found is not None and found.std is not None:
            words += f" ± {number_of(name, found.std)}"
        row.append(words)
    return row


def _mean(
    name: str,
    run: KnownRun,
    common: Sequence[str],
) -> Optional[float]:
    """Return the mean of a figure; None where a scene has none, since the others alone would say something else."""
    values = run.values(name, common)
    found = mean_over_scenes(values)
    if found is None or found.count < len(values):
        return None
    return found.mean


def _figures_of(runs: Sequence[KnownRun], common: Sequence[str]) -> list[str]:
    """Return the figures that every run has of every common scene."""
    if not common:
        return []
    # In the order of the first one's.
    kept = list(runs[0].figures(common[0]))
    for run in runs:
        for scene in common:
            figures = run.figures(scene)
            kept = [name for name in kept if name in figures]
    return kept


def _best_of(
    name: str,
    values: Sequence[Optional[float]],
) -> list[int]:
    """Return the places of the best values; none where nothing is better than another."""
    measure = measure_of(name)
    known = [value for value in values if value is not None]
    # Of one run there is no best.
    if measure.higher_is_better is None or len(known) < 2:
        return []
    wanted = min(known)
    if measure.higher_is_better:
        wanted = max(known)
    # What reads the same is as good.
    words = number_of(name, wanted)
    return [place for place, value in enumerate(values) if number_of(name, value) == words]


def _scene_table(
    runs: Sequence[KnownRun],
    figure: str,
) -> Optional[PageTable]:
    """Return a figure of each scene in each run; None where no run has it."""
    scenes: set[str] = set()
    for run in runs:
        scenes.update(run.finished)
    rows: list[list[Text]] = []
    best: set[tuple[int, int]] = set()
    has_any = False
    for place, scene in enumerate(sorted(scenes, key=natural)):
        values: list[Optional[float]] = []
        for run in runs:
            value = None
            if scene in run.finished:
                value = run.figures(scene).get(figure)
                has_any = has_any or value is not None
            values.append(value)
        row: list[Text] = [scene]
        row += [number_of(figure, value) for value in values]
        rows.append(row)
        for column in _best_of(figure, values):
            # The first column is the scene's.
            best.add((place, 1 + column))
    if not has_any:
        return None
    return PageTable(
        columns=[COLUMNS["scene"], *(run.name for run in runs)],
        rows=rows,
        caption=title_of(figure),
        best=frozenset(best),
    )


def _addresses(
    runs: Sequence[KnownRun],
    target: Path,
) -> dict[str, str]:
    """Return the addresses of the runs' own pages, from that of the page over them."""
    addresses = {}
    for run in runs:
        page = run.folder.resolve() / REPORT
        if not page.is_file():
            continue
        start = target.resolve().parent
        try:
            way = os.path.relpath(page, start)
        except ValueError:
            # Another drive of Windows: no way leads there.
            continue
        way = Path(way).as_posix()
        addresses[run.name] = quote(way)
    return addresses

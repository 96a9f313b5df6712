"""report.html of a run: a row for each finished scene, their mean, what is still to come, and their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from paddle_umsft.config.run import Config
from paddle_umsft.data.natural import natural
from paddle_umsft.machine.files import write_text
from paddle_umsft.metrics.figures import title_of
from paddle_umsft.runs.folder import OUTPUT_HINT, finished_scenes
from paddle_umsft.runs.page import REPORT, PageTable, render, thumbnail
from paddle_umsft.runs.progress import duration
from paddle_umsft.runs.summary import BICUBIC_FIGURES, MEAN, SPREAD, bicubic_column, mean_row, scene_rows, spread_row
from paddle_umsft.runs.trust import VERDICT
from paddle_umsft.runs.words import PHRASES, Text, Words, verdict_word

# Pictures of so many scenes are shown as wide as a page; of more they are made smaller, so that a page of 100 scenes
# stays below 5 MB.
_WIDTHS = ((12, 900), (32, 600), (100, 320))  # scenes, pixels
# What all pictures together may take in the page; those that come after it are left to the scenes' own pages.
_PICTURE_CHARACTERS = 3_500_000

# Columns that every table of scenes has, by their name in summary.csv.
COLUMNS: Mapping[str, Words] = {
    "scene": Words("scene", "场景"),
    "method": Words("method", "方法"),
    "convention": Words("convention", "指标约定"),
    "seconds": Words("seconds", "用时（秒）"),
    VERDICT: Words("verdict", "结论"),
}
# Of `duration`.
_CHINESE_UNITS = ((" s", " 秒"), (" min", " 分钟"), (" h", " 小时"))
ROWS: Mapping[str, Words] = {
    MEAN: Words("mean", "均值"),
    SPREAD: Words("± std", "± 标准差"),
}


@dataclass(frozen=True)
class Outlook:
    """How much of a run is still to come.

    Attributes:
        scenes: All that the run has.
        failed: Those that could not be fused.
        seconds: What a scene has taken so far; None: none is finished yet.
        at_once: Processes that share the work.
    """

    scenes: int
    failed: int
    seconds: Optional[float]
    at_once: int = 1

    def left(self, finished: int) -> int:
        """Return how many scenes are still to come."""
        return max(0, self.scenes - self.failed - finished)

    def words(self, finished: int) -> Optional[Words]:
        """Return how far the run is; None where nothing is left to do.

        Args:
            finished: Scenes that are done.
        """
        left = self.left(finished)
        if left == 0:
            return None
        now = datetime.now().astimezone()
        clock = now.strftime("%H:%M")
        english = f"{finished} of {self.scenes} scenes are done."
        chinese = f"已完成 {finished} / {self.scenes} 个场景。"
        if self.seconds is not None:
            time = duration(self.seconds * left / self.at_once)
            english += f" At this pace {time} were left at {clock}; load the page again for news."
            for unit, word in _CHINESE_UNITS:
                time = time.replace(unit, word)
            chinese += f"按目前速度，{clock} 时约剩 {time}；刷新网页可查看最新进度。"
        return Words(english, chinese)


@dataclass(frozen=True)
class SceneLink:
    """A scene on the page of its run.

    Attributes:
        name: Its name.
        anchor: Of its picture, within the page.
        address: Of its own page, from here.
        picture: Its overview, made smaller, as a data URI.
    """

    name: str
    anchor: str
    address: str
    picture: str


def write_run_report(
    folder: Path,
    config: Config,
    failed: Optional[Mapping[str, str]] = None,
    outlook: Optional[Outlook] = None,
) -> None:
    """Write the page of a whole run: a row per finished scene, their mean, and what failed.

    Args:
        folder: The run's folder; finished scenes are those with a metrics.json.
        config: All settings.
        failed: Scene -> why it could not be fused.
        outlook: What is still to come; None: nobody knows.

    Raises:
        DataError: If it cannot be written.
    """
    # As people count: scene 2 before scene 10.
    found = finished_scenes(folder)
    finished = {name: found[name] for name in sorted(found, key=natural)}
    scenes = f"{len(finished)} scenes"
    if len(finished) == 1:
        scenes = "1 scene"
    running = None
    if outlook is not None:
        running = outlook.words(len(finished))
    links = _scene_links(folder, list(finished))
    text = render(
        "run.html",
        config=config,
        title=Words(f"Run {folder.name}", f"运行 {folder.name}"),
        subtitle=Words(f"{config.method}, {scenes} fused", f"{config.method}，已融合 {len(finished)} 个场景"),
        running=running,
        scenes=_scenes_table(finished),
        failed=failed or {},
        links=links,
        contents=_contents(links, has_failed=bool(failed)),
    )
    write_text(folder / REPORT, text, hint=OUTPUT_HINT)


def _contents(links: Sequence[SceneLink], *, has_failed: bool) -> list[tuple[str, Text]]:
    """Return the sections of the page: anchor and heading."""
    contents: list[tuple[str, Text]] = [("scenes", PHRASES["scenes"])]
    if has_failed:
        contents.append(("failed", PHRASES["failed"]))
    contents += [(link.anchor, link.name) for link in links]
    contents += [(name, PHRASES[name]) for name in ("configuration", "versions")]
    return contents


def _scenes_table(finished: Mapping[str, Mapping[str, Any]]) -> Optional[PageTable]:
    """Return a row for each finished scene and, of several, their mean; None where none is finished."""
    rows: list[dict[str, Any]] = scene_rows(finished)
    if not rows:
        return None
    over_all = _rows_over_all(rows)
    for row in rows:
        verdict = finished[row["scene"]].get(VERDICT)
        if verdict is not None:
            row[VERDICT] = verdict_word(verdict)
    rows += over_all
    titles = _titles(finished)
    cells = [[row.get(name, "") for name in titles] for row in rows]
    # What a scene has not is an empty cell; what JSON could not hold (infinity) is shown by the sign for none.
    table = PageTable.of(list(titles.values()), cells)
    return replace(table, addresses={name: address_of(name) for name in finished})


def _rows_over_all(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the mean over several scenes and its spread, where they have one."""
    if len(rows) < 2:
        return []
    found = []
    for row in (mean_row(rows), spread_row(rows)):
        if row is not None:
            # Its name is a word, not that of a scene.
            row["scene"] = ROWS[row["scene"]]
            found.append(row)
    return found


def _titles(finished: Mapping[str, Mapping[str, Any]]) -> dict[str, Text]:
    """Return the columns of the table by their names."""
    titles: dict[str, Text] = {}
    for name in ("scene", "method", "convention"):
        titles[name] = COLUMNS[name]
    is_judged = any(VERDICT in metrics for metrics in finished.values())
    if is_judged:
        titles[VERDICT] = COLUMNS[VERDICT]
    # The figures of the first scene that has a truth, then what every table ends with.
    for metrics in finished.values():
        figures = metrics.get("fused")
        if figures:
            for name in figures:
                titles[name] = title_of(name)
            for name in BICUBIC_FIGURES:
                titles[bicubic_column(name)] = f"bicubic {title_of(name)}"
            break
    titles["seconds"] = COLUMNS["seconds"]
    return titles


def address_of(name: str) -> str:
    """Return the address of a scene's page from that of its run.

    Args:
        name: The scene's.
    """
    return f"{quote(name)}/{REPORT}"


def _scene_links(folder: Path, names: Sequence[str]) -> list[SceneLink]:
    """Return the links to the pages of the scenes that have a picture, as many as there is room for."""
    links = []
    room = _PICTURE_CHARACTERS
    width = _WIDTHS[-1][1]
    for most, pixels in reversed(_WIDTHS):
        if len(names) <= most:
            width = pixels
    for number, name in enumerate(names, start=1):
        picture = thumbnail(folder / name / "overview.png", width)
        if picture is None:
            continue
        room -= len(picture)
        if room < 0:
            break
        links.append(
            SceneLink(
                name=name,
                anchor=f"scene-{number}",
                address=address_of(name),
                picture=picture,
            )
        )
    return links

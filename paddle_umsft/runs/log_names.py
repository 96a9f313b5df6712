"""Names of runs in VisualDL's panel, which shows their first letters only: the scene stands there, told from others."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

# Letters of a name that the narrowest column of the panel shows, that of the hyper-parameters.
SHOWN = 17
# As many of them for the run's own name, which is the same for all of its scenes; the scene's gets what is left.
SHOWN_OF_RUN = 6
GAP = "…"
# What all names of a folder have in common is cut off at whole words.
SEPARATORS = " _-."
WORD = re.compile(r"[^ _.-]+[ _.-]*|[ _.-]+")


def panel_name(
    folder: Path,
    log: Path,
    scenes: Sequence[str],
) -> str:
    """Return how the log of a scene is called in the panel: what tells it apart, and behind that where it lies.

    Args:
        folder: The scene's, within that of its run.
        log: Folder of the log.
        scenes: Names of all scenes of the run.
    """
    return named(short_names(scenes).get(folder.name, shortened(folder.name, SHOWN)), folder.parent.name, log, folder)


def named(
    first: str,
    run: str,
    log: Path,
    folder: Path,
) -> str:
    """Return a name that begins with these letters and the run's, and that no other log has.

    Args:
        first: What the name begins with.
        run: Name of the run.
        log: Folder of the log.
        folder: What it belongs to: a scene, or the run as a whole.
    """
    place = log.relative_to(folder.parent)
    # Two logs of one name would be one to the panel: two output folders can have runs of the same name.
    begun = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"{first} {shortened(run, SHOWN_OF_RUN)} | {run}: {place.as_posix()}, {begun}"


def short_names(scenes: Sequence[str], room: int = SHOWN - SHOWN_OF_RUN - 1) -> dict[str, str]:
    """Return names that differ, of this many letters at most.

    Long ones lose the words that all begin or end with, then their middle, and get a number where that is not enough.

    Args:
        scenes: Names that differ.
        room: Letters that a name may have.
    """
    own = {name: name for name in scenes}
    if len(scenes) > 1 and max(map(len, scenes)) > room:
        own = _without_what_is_common(scenes)
    short = {name: shortened(words, room) for name, words in own.items()}
    how_often = Counter(short.values())
    for number, (name, words) in enumerate(own.items(), start=1):
        if how_often[short[name]] > 1:
            front = f"{number} "
            short[name] = front + shortened(words, room - len(front))
    return short


def _without_what_is_common(scenes: Sequence[str]) -> dict[str, str]:
    """Return each name without the words that all of them begin or end with."""
    words = [WORD.findall(name) for name in scenes]
    for end in (0, -1):
        # Something is left of each, whatever the others are.
        while min(map(len, words)) > 1 and len({parts[end] for parts in words}) == 1:
            for parts in words:
                del parts[end]
    return {name: "".join(parts).rstrip(SEPARATORS) or name for name, parts in zip(scenes, words)}


def shortened(name: str, room: int) -> str:
    """Return a name of this many letters at most; a long one loses its middle."""
    if len(name) <= room:
        return name
    kept = room - len(GAP)
    beginning = (kept + 1) // 2
    end = kept - beginning
    return name[:beginning] + GAP + name[len(name) - end :]

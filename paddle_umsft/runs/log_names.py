"""Names of runs in VisualDL's panel, which shows their first letters only: the scene stands there, told from others."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

# Letters of a name that the narrowest place of the panel shows, beside the title of a picture.
SHOWN = 17
# As many of them at most for the run's own name, the same for all of its scenes; the scene's gets what is left.
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
    run = folder.parent
    of_run = shortened(run.name, SHOWN_OF_RUN)
    room = SHOWN - len(of_run) - 1  # a blank between the two
    scene = short_names(scenes, room).get(folder.name)
    if scene is None:
        scene = shortened(folder.name, room)
    return named(scene, run.name, log.relative_to(run))


def named(
    first: str,
    run: str,
    place: Path,
) -> str:
    """Return a name that begins with these letters and the run's, and that no other log has.

    Args:
        first: What the name begins with.
        run: Name of the run.
        place: Folder of the log within the run's.
    """
    shown = f"{first} {shortened(run, SHOWN_OF_RUN)}"
    # Two logs of one name would be one to the panel: two output folders can have runs of the same name.
    begun = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"{shown} | {run}: {place.as_posix()}, {begun}"


def short_names(scenes: Sequence[str], room: int) -> dict[str, str]:
    """Return names that differ, of this many letters at most.

    Long ones lose the words that all begin or end with, then their middle, and get a number where that is not enough.

    Args:
        scenes: Names that differ.
        room: Letters that a name may have.
    """
    own = list(scenes)
    is_long = any(len(name) > room for name in own)
    if is_long and len(own) > 1:
        own = _without_common_words(own)
    shown = [shortened(name, room) for name in own]
    how_often = Counter(shown)
    short = {}
    for number, scene in enumerate(scenes, start=1):
        name = shown[number - 1]
        if how_often[name] > 1:
            front = f"{number} "
            rest = shortened(own[number - 1], room - len(front))
            name = front + rest
        short[scene] = name
    return short


def _without_common_words(names: Sequence[str]) -> list[str]:
    """Return each name without the words that all of them begin or end with."""
    words = [WORD.findall(name) for name in names]
    for end in (0, -1):
        while _all_have_the_same(words, end):
            for parts in words:
                del parts[end]
    rest = []
    for name, parts in zip(names, words):
        left = "".join(parts).rstrip(SEPARATORS)
        rest.append(left or name)
    return rest


def _all_have_the_same(words: Sequence[Sequence[str]], end: int) -> bool:
    """Whether all names begin (0) or end (-1) with one word, and have another one beside it."""
    shortest = min(len(parts) for parts in words)
    if shortest < 2:
        return False
    at_end = {parts[end] for parts in words}
    return len(at_end) == 1


def shortened(name: str, room: int) -> str:
    """Return a name of this many letters at most; a long one loses its middle."""
    if len(name) <= room:
        return name
    kept = room - len(GAP)
    beginning = (kept + 1) // 2
    end = len(name) - kept + beginning
    return name[:beginning] + GAP + name[end:]

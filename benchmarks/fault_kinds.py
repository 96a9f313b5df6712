"""What can befall a run, a function each, for benchmarks/faults.py.

A trial is given the run, what it gives undisturbed, and where its moment lies, from 0 to 1. It returns `equal`,
`refused`, what was lost in words, or None where the moment came after the run's end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from benchmarks.faulty_runs import LOOK_SECONDS, PATIENCE_SECONDS, Play, Running, ended_well

EQUAL, REFUSED = "equal", "refused"
# What a stopped process may end with: the code of that signal, or 0 where its work was done.
CODES = {
    signal.SIGKILL: (-signal.SIGKILL, 0),
    # Before a run listens to SIGTERM there is nothing to save, and the system ends it.
    signal.SIGTERM: (143, -signal.SIGTERM, 0),
    signal.SIGINT: (130, 0),
}
A_YEAR = 365 * 24 * 3600.0
# A disk that holds whatever a run writes.
ROOMY = "64m"
KIB = 1024


@dataclass(frozen=True)
class Untouched:
    """What a course gives when nothing disturbs it.

    Attributes:
        results: Sums of its arrays.
        seconds: How long it takes, from its begin or from where the course starts the clock.
        kib: What it writes, in KiB of the disk.
    """

    results: dict[str, str]
    seconds: float
    kib: int


# A fault: what a trial does, given where its moment lies (0 to 1). Returns the outcome; None: it came too late.
Trial = Callable[[Play, Untouched, float], Optional[str]]


class Impossible(Exception):
    """What this machine does not allow."""


def wait_for(play: Play, pattern: str, running: Sequence[Running]) -> None:
    """Wait until a run has written a file, or has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        folder = play.folder()
        if folder is not None and any(folder.glob(pattern)):
            return
        if all(process.ended() for process in running):
            return
        time.sleep(LOOK_SECONDS)


def until(play: Play, running: Sequence[Running], untouched: Untouched, moment: float) -> bool:
    """Wait for a moment of a run; return whether any process is still at work then."""
    if play.course.after is not None:
        wait_for(play, play.course.after, running)
    deadline = time.monotonic() + moment * untouched.seconds
    while time.monotonic() < deadline:
        if all(process.ended() for process in running):
            return False
        time.sleep(LOOK_SECONDS)
    return not all(process.ended() for process in running)


def kept(play: Play, untouched: Untouched) -> Optional[str]:
    """Return what of the scenes that were finished is no longer as it was."""
    for name, digest in play.results().items():
        if untouched.results.get(name) != digest:
            return f"{name} of a finished scene is not what the untouched run gives"
    return None


def gone_on(play: Play, untouched: Untouched, before: Optional[Callable[[], object]] = None) -> str:
    """Go on with a run; return how it compares."""
    wrong = ended_well(play.go_on(before))
    if wrong is not None:
        return f"going on: {wrong}"
    if play.results() != untouched.results:
        return "going on gives other bits"
    return EQUAL


def gone_on_after(play: Play, untouched: Untouched, running: Sequence[Running]) -> str:
    """Go on with a run; return how it compares, and whether one of its processes had refused."""
    refused = any(process.code == 3 for process in running)
    outcome = gone_on(play, untouched)
    return REFUSED if refused and outcome == EQUAL else outcome


def signalled(number: signal.Signals) -> Trial:
    """A signal at a moment."""

    def trial(play: Play, untouched: Untouched, moment: float) -> Optional[str]:
        running = play.begin()
        in_time = until(play, running, untouched, moment)
        for process in running:
            process.send(number)
        wrong = ended_well(running, codes=CODES[number]) or kept(play, untouched)
        if wrong is not None:
            return f"stopped: {wrong}"
        if not in_time:
            return None
        return gone_on(play, untouched)

    return trial


def one_of_two_killed(play: Play, untouched: Untouched, moment: float) -> Optional[str]:
    """The first process of a launch is killed, the other one goes on to its end."""
    running = play.begin()
    in_time = until(play, running[:1], untouched, moment)
    running[0].send(signal.SIGKILL)
    wrong = ended_well(running[:1], codes=CODES[signal.SIGKILL]) or ended_well(running[1:])
    wrong = wrong or kept(play, untouched)
    if wrong is not None:
        return f"stopped: {wrong}"
    if not in_time:
        return None
    return gone_on(play, untouched)


def clock_set_back(play: Play, untouched: Untouched, moment: float) -> Optional[str]:
    """Killed; then all its files come from the future, as the clock has been set back by a year."""
    running = play.begin()
    in_time = until(play, running, untouched, moment)
    for process in running:
        process.send(signal.SIGKILL)
    ended_well(running, codes=CODES[signal.SIGKILL])
    if not in_time:
        return None
    future = time.time() + A_YEAR
    for path in play.output.rglob("*"):
        os.utime(path, (future, future))

    def set_back() -> None:
        real = time.time
        time.time = lambda: real() - A_YEAR

    return gone_on(play, untouched, set_back)


def removed(play: Play, untouched: Untouched, moment: float) -> Optional[str]:
    """The run's folder is deleted under it."""
    running = play.begin()
    in_time = until(play, running, untouched, moment)
    shutil.rmtree(play.output, ignore_errors=True)
    wrong = ended_well(running, codes=(0, 3))
    if wrong is not None:
        return f"folder removed: {wrong}"
    if not in_time:
        return None
    return gone_on_after(play, untouched, running)


def second_writer(play: Play, untouched: Untouched, moment: float) -> Optional[str]:
    """A second `--resume` of a run that is at work."""
    first = play.begin()
    in_time = until(play, first, untouched, moment)
    if play.folder() is None or not in_time:
        ended_well(first)
        return None
    second = play.go_on()
    wrong = ended_well(second, codes=(0, 3)) or ended_well(first)
    if wrong is not None:
        return f"two writers: {wrong}"
    if play.results() != untouched.results:
        return "two writers: other bits"
    said = second[0].said
    return REFUSED if "another run is at work" in said else EQUAL


def no_writing(play: Play, untouched: Untouched, moment: float) -> Optional[str]:
    """The run's folders take no new names from a moment on, as on a disk that the system has made read-only."""
    running = play.begin()
    in_time = until(play, running, untouched, moment)
    with unwritable(play.output):
        wrong = ended_well(running, codes=(0, 3)) or kept(play, untouched)
        if wrong is None:
            wrong = ended_well(play.go_on(), codes=(0, 3))
    if wrong is not None:
        return f"read-only: {wrong}"
    if not in_time:
        return None
    return gone_on_after(play, untouched, running)


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Let nobody make or rename anything in a folder and those within, root included."""
    inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    try:
        for path in inside:
            with suppress(FileNotFoundError):
                _attribute("+i", path)
        yield
    finally:
        for path in inside:
            if path.exists():
                _attribute("-i", path)


def _attribute(change: str, path: Path) -> None:
    """Change a file's attribute that not even root passes over."""
    if not path.exists():
        return
    try:
        done = subprocess.run(["chattr", change, path], capture_output=True, check=False)
    except FileNotFoundError:
        raise Impossible("no chattr here") from None
    if done.returncode != 0 and path.exists():
        raise Impossible("chattr is not allowed here")


def full_disk(play: Play, untouched: Untouched, moment: float) -> Optional[str]:
    """A disk that has room for a share of what the run writes."""
    room = max(4, int(moment * untouched.kib))
    with disk(play.output, f"{room}k"):
        running = play.begin()
        wrong = ended_well(running, codes=(0, 3)) or kept(play, untouched)
        if wrong is not None:
            return f"full disk: {wrong}"
        subprocess.run(["mount", "-o", f"remount,size={ROOMY}", play.output], check=True)
        return gone_on_after(play, untouched, running)


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a disk of a size."""
    folder.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
        )
    except FileNotFoundError:
        raise Impossible("no mount here") from None
    if done.returncode != 0:
        raise Impossible("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)

"""Runs that are killed, stopped, starved and tampered with: python benchmarks/faults.py [--kills 50] [--stops 20] ...

Each trial begins a run, lets a fault fall upon it at a moment drawn at random, goes on with `--resume`, and compares
every array of every scene with the untouched run, bit by bit. A trial is `equal`; or `refused`: the program said in one
line that it does not go on, and once the cause was gone it went on to the same bits; or lost. A moment after the run's
end does not count and is drawn again. Needs Linux; full disks and folders that take no writing need root.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fault_kinds import (
    CODES,
    EQUAL,
    REFUSED,
    Impossible,
    Trial,
    Untouched,
    clock_set_back,
    full_disk,
    gone_on,
    no_writing,
    one_of_two_killed,
    removed,
    second_writer,
    signalled,
    until,
    wait_for,
)
from benchmarks.faulty_runs import Course, Play, courses, ended_well, load_everything
from paddle_umsft.machine.tables import TextTable


@dataclass(frozen=True)
class Counts:
    """How many trials there are of each kind."""

    kills: int = 50
    stops: int = 20
    fills: int = 10
    others: int = 10
    flips: int = 4


@dataclass
class Row:
    """A line of the table."""

    fault: str
    course: str
    equal: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    impossible: str = ""
    seconds: float = 0.0

    def add(self, outcome: str) -> None:
        """Count a trial."""
        if outcome == EQUAL:
            self.equal += 1
        elif outcome == REFUSED:
            self.refused += 1
        else:
            self.lost.append(outcome)

    @property
    def trials(self) -> int:
        """How many were counted."""
        return self.equal + self.refused + len(self.lost)


class Bench:
    """All trials, one after another, each in a folder of its own that is gone afterwards.

    Args:
        home: Where to work.
        seed: Of the moments.
    """

    def __init__(self, home: Path, seed: int = 0) -> None:
        self._home = home
        self._rng = random.Random(seed)
        self._number = 0
        self._untouched: dict[str, Untouched] = {}

    def play(self, course: Course) -> Play:
        """Return a run in a fresh folder."""
        self._number += 1
        return Play(course, self._home / f"play_{self._number}")

    def untouched(self, course: Course) -> Untouched:
        """Return what a course gives undisturbed; run once."""
        if course.name not in self._untouched:
            play = self.play(course)
            began = time.monotonic()
            running = play.begin()
            if course.after is not None:
                wait_for(play, course.after, running)
                began = time.monotonic()
            wrong = ended_well(running)
            if wrong is not None:
                raise SystemExit(f"{course.name}: the untouched run {wrong}")
            seconds = time.monotonic() - began
            results = play.results()
            assert results
            used = subprocess.run(["du", "-sk", play.output], capture_output=True, text=True, check=True)
            self._untouched[course.name] = Untouched(
                results=results,
                seconds=seconds,
                kib=int(used.stdout.split()[0]),
            )
            shutil.rmtree(play.home)
        return self._untouched[course.name]

    def row(self, fault: str, course: Course, trial: Trial, count: int, *, spread: bool = False) -> Row:
        """Run so many trials that count.

        Args:
            fault: What it is called.
            course: Upon which run it falls.
            trial: Does one.
            count: How many.
            spread: At even distances instead of at random.
        """
        untouched = self.untouched(course)
        row = Row(fault=fault, course=course.name)
        began = time.monotonic()
        drawn = 0
        while row.trials < count:
            drawn += 1
            moment = self._rng.random()
            if spread:
                moment = (row.trials + 1) / (count + 1)
            play = self.play(course)
            try:
                outcome = trial(play, untouched, moment)
            except Impossible as reason:
                row.impossible = str(reason)
                break
            finally:
                shutil.rmtree(play.home, ignore_errors=True)
            if outcome is not None:
                row.add(outcome)
            elif drawn > 20 * count:
                row.impossible = "the run ends before any moment"
                break
        row.seconds = time.monotonic() - began
        print(line_of(row), flush=True)
        return row


def flipped_bits(bench: Bench, course: Course, *, share: float, flips: int, seed: int = 0) -> Row:
    """Flip single bits in every file of a run's folder, each in a copy of it.

    Args:
        bench: Keeps the folders.
        course: The run.
        share: When it is killed, as a share of its length; 1: not at all.
        flips: How many bits of each file.
        seed: Of the bits.
    """
    untouched = bench.untouched(course)
    broken = bench.play(course)
    running = broken.begin()
    if share < 1:
        until(broken, running, untouched, share)
        for process in running:
            process.send(signal.SIGKILL)
    ended_well(running, codes=CODES[signal.SIGKILL])
    when = "killed" if share < 1 else "finished"
    row = Row(fault=f"a bit flipped, every file of the {when} run", course=course.name)
    rng = random.Random(seed)
    began = time.monotonic()
    for path in sorted(broken.output.rglob("*")):
        if not path.is_file() or path.stat().st_size == 0:
            continue
        for _ in range(flips):
            row.add(_flipped(bench, course, untouched, broken, path.relative_to(broken.output), rng))
    shutil.rmtree(broken.home, ignore_errors=True)
    row.seconds = time.monotonic() - began
    print(line_of(row), flush=True)
    return row


def _flipped(bench: Bench, course: Course, untouched: Untouched, broken: Play, name: Path, rng: random.Random) -> str:
    """Flip one bit of one file and go on; return the outcome."""
    play = bench.play(course)
    shutil.copytree(broken.output, play.output)
    path = play.output / name
    good = path.read_bytes()
    spoilt = bytearray(good)
    place = rng.randrange(len(spoilt))
    spoilt[place] ^= 1 << rng.randrange(8)
    path.write_bytes(spoilt)
    running = play.go_on()
    wrong = ended_well(running, codes=(0, 2, 3))
    refused = any(process.code for process in running)
    if wrong is not None:
        outcome = wrong
    elif not refused and play.results() != untouched.results:
        outcome = "other bits"
    elif not refused:
        outcome = EQUAL
    else:
        # Nothing was lost if the file, put back, is all that is needed.
        path.write_bytes(good)
        outcome = gone_on(play, untouched)
        if outcome == EQUAL:
            outcome = REFUSED
    shutil.rmtree(play.home, ignore_errors=True)
    if outcome not in (EQUAL, REFUSED):
        outcome = f"{name}, byte {place}: {outcome}"
    return outcome


COLUMNS = ("fault", "run", "trials", "equal", "refused, nothing lost", "lost")


def cells_of(row: Row) -> list[str]:
    """Return a row as the table's cells."""
    if row.impossible:
        return [row.fault, row.course, row.impossible, "", "", ""]
    return [row.fault, row.course, str(row.trials), str(row.equal), str(row.refused), str(len(row.lost))]


def line_of(row: Row) -> str:
    """Return a row as a line, with what was lost below it."""
    return "\n    ".join([f"{' | '.join(cells_of(row))} ({row.seconds:.0f} s)", *row.lost])


def all_rows(home: Path, counts: Counts, only: str = "") -> list[Row]:
    """Run everything.

    Args:
        home: Where to work.
        counts: How many trials of each.
        only: Only faults with this word in their name or their run's.
    """
    load_everything()
    bench = Bench(home)
    runs = courses(home / "scenes")
    rows = []
    plans: list[tuple[str, str, Trial, int, bool]] = []
    for run in ("scene", "deep", "folder", "figures", "pair"):
        plans.append(("kill -9", run, signalled(signal.SIGKILL), counts.kills, False))
    plans.append(("kill -9 of one of two", "pair", one_of_two_killed, counts.others, False))
    for run in ("deep", "folder", "figures"):
        plans.append(("SIGTERM", run, signalled(signal.SIGTERM), counts.stops, False))
        plans.append(("Ctrl-C", run, signalled(signal.SIGINT), counts.stops, False))
    for run in ("deep", "folder"):
        plans.append(("full disk", run, full_disk, counts.fills, True))
        plans.append(("read-only", run, no_writing, counts.others, False))
        plans.append(("folder removed", run, removed, counts.others, False))
        plans.append(("clock set back", run, clock_set_back, counts.others, False))
        plans.append(("two writers", run, second_writer, counts.others, False))
    for fault, run, trial, count, spread in plans:
        if only in f"{fault}, {runs[run].name}":
            rows.append(bench.row(fault, runs[run], trial, count, spread=spread))
    for run, share in (("deep", 0.7), ("folder", 1.0)):
        if only in f"a bit flipped, {runs[run].name}":
            rows.append(flipped_bits(bench, runs[run], share=share, flips=counts.flips))
    return rows


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Counts()
    parser.add_argument("--kills", type=int, default=usual.kills, help="kill -9 of each run")
    parser.add_argument("--stops", type=int, default=usual.stops, help="SIGTERM and Ctrl-C of each run")
    parser.add_argument("--fills", type=int, default=usual.fills, help="full disks, at even distances")
    parser.add_argument("--others", type=int, default=usual.others, help="trials of each other fault")
    parser.add_argument("--flips", type=int, default=usual.flips, help="bits of every file of a run's folder")
    parser.add_argument("--only", default="", help="only what has this word in its name or its run's")
    arguments = parser.parse_args(argv)
    counts = Counts(
        kills=arguments.kills,
        stops=arguments.stops,
        fills=arguments.fills,
        others=arguments.others,
        flips=arguments.flips,
    )
    with tempfile.TemporaryDirectory(prefix="faults_") as home:
        rows = all_rows(Path(home), counts, arguments.only)
    print()
    print(TextTable(list(COLUMNS), [cells_of(row) for row in rows], words=2).markdown())
    return int(any(row.lost for row in rows))


if __name__ == "__main__":
    sys.exit(main())

"""Strips of one scene on the disk: claimed, solved, summed up; whoever comes later goes on with what is missing.

Each strip's coefficients have their place in one file of raw numbers, and a record with their sum beside it. A process
that works on a strip holds a lock that the system lets go of when the process is gone, however it went: a dead owner's
strip is free at once.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Optional, Protocol, TypeVar

import numpy as np

from paddle_umsft.cameras.windows import runs_of
from paddle_umsft.errors import DataError
from paddle_umsft.machine.files import write_sealed
from paddle_umsft.machine.plain_files import NOT_PLAIN, is_own_folder, is_plain, read_sealed
from paddle_umsft.runs.lock import hold_if_free
from paddle_umsft.runs.strip_plan import StripPlan

PLAN = "plan.json"
COEFFS = "coeffs.f32"
# Names of claims begin with it; that of the plan is this one's.
CLAIM = ".claim_"
PLANNING = "plan"
# Where another process holds all that is left, it is asked for again after so long.
PAUSE_SECONDS = 0.2

# Of strips or of tiles: a frozen dataclass of numbers that says which other one it `may_follow`.
Plan = TypeVar("Plan", bound=Any)


class Pieces(Protocol):
    """Pieces of a scene on the disk, each with a record that is written last."""

    def is_recorded(self, number: int) -> bool:
        """Whether a piece has a record."""

    def is_done(self, number: int) -> bool:
        """Whether a piece is there as it was written."""


class StripFolder:
    """The folder of a scene that is worked on strip by strip.

    Args:
        folder: Its own; made where it is missing.

    Raises:
        DataError: It is a link, or a file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if os.path.lexists(folder) and not is_own_folder(folder):
            # What is written there would land elsewhere.
            raise DataError("cannot be used for strips", where=folder, got="a link or a file", hint="move it away")
        folder.mkdir(parents=True, exist_ok=True)

    def settled(self, plan: Plan, facts: dict[str, Any]) -> Plan:
        """The plan that the folder was begun with, if it is of the same scene and settings; else the one given.

        Args:
            plan: What this process would do.
            facts: What strips depend on, comparable.
        """
        try:
            kept = read_sealed(self.folder / PLAN)
            before: Plan = type(plan)(**kept["plan"])
            # Those made for more memory than there is now are made anew, unless somebody is at work on them: what he
            # takes is why there is less.
            if kept["facts"] == facts and (plan.may_follow(before) or self._is_busy()):
                return before
        except (OSError, ValueError, KeyError, TypeError):
            # None yet, or none that can be read.
            pass
        self._clear()
        write_sealed(self.folder / PLAN, {"plan": asdict(plan), "facts": facts})
        return plan

    def _clear(self) -> None:
        """Remove what belongs to another scene or other settings."""
        for path in self.folder.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)

    def _is_busy(self) -> bool:
        """Whether another process holds a piece of the work; the plan is held by who asks."""
        for path in self.folder.glob(f"{CLAIM}*"):
            if path.name == f"{CLAIM}{PLANNING}":
                continue
            with hold_if_free(self.folder, path.name) as is_free:
                if not is_free:
                    return True
        return False

    def is_there(self) -> bool:
        """Whether there is anything left to do: who has written the result removes the folder."""
        return (self.folder / PLAN).is_file()

    def remove(self) -> None:
        """Remove what was on the way; the plan first, which says that there is something to do."""
        (self.folder / PLAN).unlink()
        self._clear()
        with suppress(OSError):
            # Another process may just be asking for a claim.
            self.folder.rmdir()

    @contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Hold a piece of work, if nobody else does; in a folder that was removed there is none."""
        if not self.folder.is_dir():
            yield False
            return
        with hold_if_free(self.folder, f"{CLAIM}{name}") as is_mine:
            yield is_mine


class Coefficients:
    """(H, W, K) float32 in a file, in strips.

    Args:
        folder: Of the strips.
        shape: (H, W, K).
        stage: Name of the stage that leaves them; none: the last one, whose are the result's.
    """

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, int, int],
        stage: str = "",
    ) -> None:
        self.folder = folder
        self.stage = stage
        self.height, self.width, self.rank = shape
        self.row_bytes = 4 * self.width * self.rank
        path = folder / f"{stage}{COEFFS}"
        if os.path.lexists(path) and not is_plain(path):
            raise OSError(errno.EINVAL, f"{path.name} is {NOT_PLAIN}")
        path.touch()
        # Not buffered: other processes write other rows of the same file.
        self._file = path.open("r+b", buffering=0)
        size = self.height * self.row_bytes
        if path.stat().st_size != size:
            self._file.truncate(size)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _record(self, number: int) -> Path:
        return self.folder / f"{self.stage}strip_{number:05d}.json"

    def write(
        self,
        number: int,
        top: int,
        values: np.ndarray,
        seconds: float,
    ) -> None:
        """Write a strip's rows, then its record.

        Args:
            number: Of the strip.
            top: Its first HR row.
            values: (n, W, K) float32.
            seconds: What it took.
        """
        content = memoryview(np.ascontiguousarray(values, dtype="<f4").tobytes())
        self._file.seek(top * self.row_bytes)
        done = 0
        while done < len(content):
            done += self._file.write(content[done:]) or 0
        os.fsync(self._file.fileno())
        digest = hashlib.sha256(content).hexdigest()
        record = self._record(number)
        told = {
            # Under another name it is no record of that strip.
            "name": record.name,
            "top": top,
            "rows": len(values),
            "sha256": digest,
            "seconds": seconds,
        }
        write_sealed(record, told)

    def is_recorded(self, number: int) -> bool:
        """Whether a strip has a record."""
        return self._record(number).is_file()

    def is_done(self, number: int) -> bool:
        """Whether a strip is there as it was written."""
        path = self._record(number)
        try:
            record = read_sealed(path)
            if record["name"] != path.name:
                return False
            rows = np.arange(record["top"], record["top"] + record["rows"])
            return bool(hashlib.sha256(self.read(rows).tobytes()).hexdigest() == record["sha256"])
        except (OSError, ValueError, KeyError, TypeError, MemoryError):
            return False

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n, W, K) of some HR rows."""
        # Neighbouring rows are read at one go.
        runs = [self._read_run(int(run[0]), len(run)) for run in runs_of(rows)]
        if len(runs) == 1:
            return runs[0]
        return np.concatenate(runs)

    def _read_run(self, top: int, count: int) -> np.ndarray:
        wanted = count * self.row_bytes
        content = bytearray(wanted)
        view = memoryview(content)
        self._file.seek(top * self.row_bytes)
        done = 0
        while done < wanted:
            got = self._file.readinto(view[done:])
            if not got:
                raise OSError(f"{COEFFS} is too short")
            done += got
        return np.frombuffer(content, dtype="<f4").reshape(count, self.width, self.rank)


def solve_strips(
    strips: StripFolder,
    coefficients: Coefficients,
    plan: StripPlan,
    solve: Callable[[int, int], np.ndarray],
    *,
    lr_height: int,
    scale: int,
    first: int = 0,
    say: Optional[Callable[[str], None]] = None,
) -> None:
    """Solve what is not solved yet, beside other processes; return when all is.

    Args:
        strips: The folder.
        coefficients: Where strips go.
        plan: The strips.
        solve: Half-open range of LR rows -> their coefficients.
        lr_height: h.
        scale: s.
        first: Strip to begin with, so that processes do not meet at once.
        say: Is told how far it is.
    """

    def solve_one(number: int) -> float:
        started = time.perf_counter()
        rows = plan.range_of(number, lr_height)
        values = solve(*rows)
        seconds = time.perf_counter() - started
        coefficients.write(number, rows[0] * scale, values, seconds)
        return seconds

    work_through(
        strips,
        coefficients,
        plan.count,
        solve_one,
        first=first,
        stage=coefficients.stage,
        say=say,
    )


def work_through(
    strips: StripFolder,
    pieces: Pieces,
    count: int,
    do: Callable[[int], float],
    *,
    first: int = 0,
    what: str = "strips",
    stage: str = "",
    say: Optional[Callable[[str], None]] = None,
) -> None:
    """Do what is not done yet, beside other processes; return when all is.

    Args:
        strips: The folder.
        pieces: What there is of it.
        count: How many pieces there are to be.
        do: Makes one and writes it down; returns the seconds that it took.
        first: Piece to begin with, so that processes do not meet at once.
        what: Pieces are called, in up to ten letters.
        stage: Of the pieces, which their claims begin with.
        say: Is told how far it is.
    """
    order = [(first + number) % count for number in range(count)]
    missing = [number for number in order if not pieces.is_done(number)]
    if say is not None and len(missing) < count:
        say(f"{what:<11}{count - len(missing)} of {count} are there already")
    own = 0
    # Without a plan another process is done with all of it.
    while missing and strips.is_there():
        before = len(missing)
        for number in list(missing):
            if pieces.is_recorded(number) and pieces.is_done(number):
                missing.remove(number)
                continue
            with strips.claimed(f"{stage}{number:05d}") as is_mine:
                # Another one may have finished it between the question and the claim.
                if not is_mine or (pieces.is_recorded(number) and pieces.is_done(number)):
                    continue
                seconds = do(number)
            missing.remove(number)
            own += 1
            if say is not None and own == 1:
                minutes = seconds * len(missing) / 60
                say(f"{what:<11}the first took {seconds:.1f} s: about {minutes:.1f} min for the other {len(missing)}")
        if missing and len(missing) == before:
            time.sleep(PAUSE_SECONDS)

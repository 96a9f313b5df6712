"""Runs that are begun, broken off and gone on with, for benchmarks/faults.py: each a forked process of its own.

A forked child has everything imported already, so that a moment of its life is one of the run and none of the imports.
It goes through the very function that `umsft` calls.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from paddle_umsft.command.main import main as umsft
from paddle_umsft.machine.environment import import_paddle
from paddle_umsft.runs.folder import CONFIG, METRICS
from paddle_umsft.runs.results import FILES

# How often a parent looks whether a child has ended or a file is there.
LOOK_SECONDS = 0.002
# A run that takes longer hangs.
PATIENCE_SECONDS = 300.0
RUN_NAME = "run"
# What paddle.distributed.launch tells its processes; another number of ports is another launch.
LAUNCH = {"PADDLE_TRAINERS_NUM": "2", "PADDLE_TRAINER_ENDPOINTS": "127.0.0.1:{port},127.0.0.1:{next}"}

QUIET = ["output.figures=false", "output.visualdl=false", f"output.name={RUN_NAME}", "evaluate.images=0"]
EVERY_STEP = [*QUIET, "output.checkpoint_every=1"]


@dataclass(frozen=True)
class Course:
    """A run that faults fall upon.

    Attributes:
        name: As the table calls it.
        settings: What follows `umsft train -c CONFIGURATION -o`.
        configuration: Its name.
        processes: 2: as paddle.distributed.launch starts them.
        after: A file whose appearance starts the clock, as a pattern within the run's folder; None: the run's begin.
    """

    name: str
    settings: Sequence[str]
    configuration: str = "demo_umsft.yml"
    processes: int = 1
    after: Optional[str] = None


def courses(scenes: Path) -> dict[str, Course]:
    """Return the runs of the table by their names.

    Args:
        scenes: Folder for the scenes of the runs that have several; made if it is missing.
    """
    _make_scenes(scenes)
    small = ["data.demo.height=128", "data.demo.width=136", "network.width=4", "network.skip=2"]
    steps = ["warm_up.iterations=1", "solver.iterations=4"]
    scene = Course("umsft, a scene", [*EVERY_STEP, *small, *steps])
    deep = Course(
        name="uhntc, a scene",
        configuration="uhntc.yml",
        settings=[
            *EVERY_STEP,
            *["data.path=demo://dead_leaves", "data.crop=[0, 0, 40, 48]", "observe.scale=4"],
            *["uhntc.warm_up.iterations=1", "uhntc.warm_up.joint_iterations=1", "uhntc.warm_up.rank=3"],
            "uhntc.iterations=4",
        ],
    )
    subspace = ["method=subspace", "observe.scale=4", "observe.srf=uniform", f"data.path={scenes}"]
    folder = Course("subspace, a folder of scenes", [*QUIET, *subspace])
    pair = Course("subspace, a folder, two processes", [*QUIET, *subspace], processes=2)
    shown = [*QUIET, "output.figures=true", "method=bicubic", "observe.scale=4", "observe.srf=uniform"]
    figures = Course(
        name="bicubic, while it draws",
        settings=[*shown, f"data.path={scenes / '0.npy'}"],
        after=f"*/{METRICS}",
    )
    return {"scene": scene, "deep": deep, "folder": folder, "pair": pair, "figures": figures}


def _make_scenes(folder: Path) -> None:
    """Write four small scenes of smooth spectra: patches, no symmetry."""
    folder.mkdir(parents=True, exist_ok=True)
    bands = np.linspace(0, 1, 8)
    for number in range(4):
        rng = np.random.default_rng(number)
        centres = rng.uniform(0, 1, 5)
        spectra = 0.1 + 0.8 * np.exp(-(((bands - centres[:, None]) / 0.3) ** 2))
        patches = rng.integers(0, 5, (8, 6)).repeat(4, axis=0).repeat(4, axis=1)  # (32, 24)
        shade = rng.uniform(0.5, 1, patches.shape)
        np.save(folder / f"{number}.npy", (spectra[patches] * shade[..., None]).astype(np.float32))


def load_everything() -> None:
    """Import what runs import, once, before any child is forked."""
    import_paddle()
    import matplotlib.pyplot  # noqa: F401

    import paddle_umsft.methods.uhntc.solver
    import paddle_umsft.methods.umsft.solver
    import paddle_umsft.runs.pictures
    import paddle_umsft.runs.watched  # noqa: F401


class Running:
    """A child that runs `umsft`.

    Args:
        argv: Of `umsft`.
        said: File for what it prints.
        variables: On top of the environment.
        before: Called in the child, before the run.
    """

    def __init__(
        self,
        argv: Sequence[str],
        said: Path,
        variables: Optional[Mapping[str, str]] = None,
        before: Optional[Callable[[], object]] = None,
    ) -> None:
        self._said = said
        self.code: Optional[int] = None
        ready, tell = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(ready)
            _live(argv, said, dict(variables or {}), before, tell)
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)

    def ended(self) -> bool:
        """Whether it has ended; its code is known then, below 0 where a signal ended it."""
        if self.code is None:
            found, status = os.waitpid(self._process, os.WNOHANG)
            if found:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait for its end, so long at most; return whether it came."""
        deadline = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def send(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if not self.ended():
            os.kill(self._process, number)

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._said.read_text(encoding="utf-8", errors="replace")


def _live(
    argv: Sequence[str],
    said: Path,
    variables: dict[str, str],
    before: Optional[Callable[[], object]],
    tell: int,
) -> None:
    """Be the child: never returns."""
    code = 1
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(out, 1)
        os.dup2(out, 2)
        # A group of its own: a Ctrl-C at this program's terminal is not the child's.
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(variables)
        if before is not None:
            before()
        os.write(tell, b".")
        code = umsft(list(argv))
    # What Python itself makes of these at its end.
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Play:
    """One run of a course in a folder of its own, with all that is begun for it.

    Args:
        course: What is run.
        home: The folder; new.
    """

    _ports = 10_000

    def __init__(self, course: Course, home: Path) -> None:
        self.course = course
        self.home = home
        self.output = home / "output"
        self._begun = 0
        home.mkdir(parents=True)

    def begin(self, before: Optional[Callable[[], object]] = None) -> list[Running]:
        """Start a new run."""
        start = ["train", "-c", self.course.configuration, "-o", *self.course.settings]
        return self._processes([*start, "--output", str(self.output)], before)

    def go_on(self, before: Optional[Callable[[], object]] = None) -> list[Running]:
        """Resume the run; start anew where it was broken off before there was one."""
        folder = self.folder()
        if folder is None:
            return self.begin(before)
        return self._processes(["train", "--resume", str(folder)], before)

    def _processes(self, argv: list[str], before: Optional[Callable[[], object]]) -> list[Running]:
        started = []
        Play._ports += 2
        for rank in range(self.course.processes):
            self._begun += 1
            variables = {}
            if self.course.processes > 1:
                ports = {"port": Play._ports, "next": Play._ports + 1}
                variables = {name: text.format(**ports) for name, text in LAUNCH.items()}
                variables["PADDLE_TRAINER_ID"] = str(rank)
            started.append(Running([*argv, "--quiet"], self.home / f"said_{self._begun}.txt", variables, before))
        return started

    def folder(self) -> Optional[Path]:
        """The run's folder; None where it was broken off before it had a configuration."""
        found = sorted(self.output.glob(f"*/{CONFIG}"))
        if not found:
            return None
        return found[-1].parent

    def results(self) -> dict[str, str]:
        """Sums of all arrays of all finished scenes, and their figures, by their places in the run's folder."""
        found: dict[str, str] = {}
        folder = self.folder()
        if folder is None:
            return found
        for path in sorted(folder.glob(f"*/{METRICS}")):
            scene = path.parent
            # As anybody's program reads it, not as the package does.
            with suppress(OSError, ValueError):
                metrics = json.loads(path.read_text(encoding="utf-8"))
                found[f"{scene.name}/{METRICS}"] = json.dumps(metrics["fused"], sort_keys=True)
                for name in metrics[FILES]:
                    found[f"{scene.name}/{name}"] = sum_of(scene / name)
        return found


def sum_of(path: Path) -> str:
    """Return a file's sum; a word where it is missing."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"


def ended_well(running: Sequence[Running], *, codes: Sequence[int] = (0,)) -> Optional[str]:
    """Wait for all; return what is wrong with how they ended: a code, a traceback, a run that hangs."""
    for process in running:
        if not process.wait():
            process.send(signal.SIGKILL)
            return "hangs"
        said = process.said
        before, found, after = said.partition("Traceback")
        if found:
            return f"a traceback: {before[-300:]}{found}{after[:900]}"
        if process.code not in codes:
            return f"exit code {process.code}: {said[-300:]}"
    return None

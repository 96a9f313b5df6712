"""`umsft fuse` in processes of their own for benchmarks/scaling.py: started, killed, and what each of them took."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from benchmarks.scaling_scenes import Pair, blurred, cave, indian_pines, msi_of, period_of, write_repeated

ROOT = Path(__file__).resolve().parents[1]
# Bands of Indian Pines; all other scenes are CAVE's.
PINES_BANDS = 200
# Sizes are multiples of so many LR pixels.
LR_STEP = 4
KIB = 2**10
GIB = 2**30
MICRO = 1e6

# What a child runs: the command, and at its end what it took.
CHILD = """
import json, os, sys, time
from pathlib import Path
import paddle_umsft.runs.strip_plan as plan
if "MOST_PIXELS" in os.environ:
    plan.MOST_PIXELS = int(os.environ["MOST_PIXELS"])
from paddle_umsft.command.main import main
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text()
peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
print("TOOK " + json.dumps({"cpu": time.process_time(), "peak": peak, "code": code}), flush=True)
sys.exit(code)
"""


@dataclass(frozen=True)
class Took:
    """What a process took.

    Attributes:
        wall: Seconds, by the parent's clock.
        cpu: Seconds of processors.
        peak: Largest resident memory, bytes.
        code: Of its exit; -1: it told nothing.
    """

    wall: float
    cpu: float = float("nan")
    peak: float = float("nan")
    code: int = -1


class Bench:
    """Scenes in files, and what fusing them takes.

    Args:
        data: Where the real data are.
        work: Scratch folder.
        factor: On the sizes of all scenes.
        presets: Which are measured where both are.
    """

    def __init__(
        self,
        data: Path,
        work: Path,
        factor: float,
        presets: Sequence[str] = ("fast", "best"),
    ) -> None:
        self.data = data
        self.presets = presets
        self.work = work
        self.factor = factor
        self.rows: list[dict[str, Any]] = []
        work.mkdir(parents=True, exist_ok=True)

    def pair(
        self,
        size: int,
        scale: int,
        bands: int = 31,
        ending: str = "npy",
    ) -> Pair:
        """The files of a scene, made where they are missing."""
        step = LR_STEP * scale
        steps = int(size * self.factor) // step
        size = max(step, steps * step)
        name = f"{size}_{bands}_{scale}"
        pair = Pair(
            lr=self.work / f"{name}_lr.{ending}",
            hr=self.work / f"{name}_hr.{ending}",
            size=size,
            bands=bands,
            scale=scale,
        )
        if not (pair.lr.exists() and pair.hr.exists()):
            self._write(pair)
        return pair

    def _write(self, pair: Pair) -> None:
        """Make the files of a scene."""
        crop = cave(self.data)
        msi_bands = 3
        if pair.bands == PINES_BANDS:
            crop = indian_pines(self.data)
            msi_bands = 4
        period = period_of(crop)
        lr_period = blurred(period, pair.scale)
        msi_period = msi_of(period, msi_bands)
        write_repeated(lr_period, pair.size // pair.scale, pair.lr, seed=1)
        write_repeated(msi_period, pair.size, pair.hr, seed=2)

    def start(
        self,
        pair: Pair,
        output: Path,
        preset: str,
        *settings: str,
        threads: Optional[int] = None,
        most_pixels: Optional[int] = None,
    ) -> subprocess.Popen[str]:
        """Start `umsft fuse` in a process of its own.

        Args:
            pair: The scene.
            output: File of the result.
            preset: Configuration.
            *settings: On top of it.
            threads: Of the process; None: as many as there are cores.
            most_pixels: HR pixels of a strip; None: as planned.
        """
        python = [sys.executable, "-W", "ignore", "-c", CHILD]
        command = ["fuse", str(pair.lr), str(pair.hr), "-o", str(output), "-c", f"{preset}.yml"]
        if settings:
            command += ["--set", *settings]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
            environment["OPENBLAS_NUM_THREADS"] = str(threads)
        if most_pixels is not None:
            environment["MOST_PIXELS"] = str(most_pixels)
        return subprocess.Popen(
            [*python, *command],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def fuse(
        self,
        pair: Pair,
        output: Path,
        preset: str,
        *settings: str,
        label: str = "",
        **more: Any,
    ) -> None:
        """Fuse and note what it took."""
        started = time.perf_counter()
        process = self.start(pair, output, preset, *settings, **more)
        told, _ = process.communicate()
        wall = time.perf_counter() - started
        self.note(pair, preset, settings, told, wall, label)

    def note(
        self,
        pair: Pair,
        preset: str,
        settings: Sequence[str],
        told: str,
        wall: float,
        label: str,
    ) -> None:
        """Read what a process told at its end, and print its row."""
        took = Took(wall)
        if "TOOK " in told:
            # The line after the word.
            record = told.split("TOOK ")[-1].splitlines()[0]
            took = Took(wall, **json.loads(record))
        if took.code != 0:
            print(told, file=sys.stderr)
        learned = ""
        if "learned    " in told:
            learned = told.split("learned    ")[-1].splitlines()[0]
        strips = ""
        if "plan       " in told:
            strips = told.split("plan       ")[-1].split(" strips")[0]
        self.add(
            pair,
            preset,
            settings,
            took,
            strips=strips,
            label=f"{label} {learned}".strip(),
        )

    def add(
        self,
        pair: Pair,
        preset: str,
        settings: Sequence[str],
        took: Took,
        *,
        strips: str,
        label: str,
        whole: Optional[float] = None,
    ) -> None:
        """Keep a row of the table and print it.

        Args:
            pair: The scene.
            preset: Configuration.
            settings: On top of it.
            took: What the process took.
            strips: How many, as the table has it.
            label: What else there is to say.
            whole: Seconds that all of the scene takes; None: those of the processors.
        """
        seconds = took.cpu
        if whole is not None:
            seconds = whole
        row = {
            "scene": pair.name,
            "preset": preset,
            "settings": " ".join(settings),
            **asdict(took),
            "strips": strips,
            "us a pixel": MICRO * seconds / pair.size**2,
            "label": label,
        }
        self.rows.append(row)
        cells = [
            row["scene"],
            f"{preset} {row['settings']}",
            f"{took.wall:.1f} s ({took.cpu:.1f} of processors)",
            f"{took.peak / GIB:.2f} GB",
            strips,
            f"{row['us a pixel']:.2f} µs",
            label,
        ]
        line = " | ".join(cells)
        print(f"| {line} |", flush=True)


def fresh(output: Path) -> Path:
    """Remove a result, and what an earlier run may have left of it; return the folder of what is on the way."""
    folder = output.with_name(f".strips_{output.name}")
    output.unlink(missing_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)
    return folder


def strips_done(folder: Path) -> list[Path]:
    """The records of strips that are solved, of the folder of what is on the way."""
    return sorted(folder.glob("strip_*.json"))


def taken_so_far(process: subprocess.Popen[str], wall: float) -> Took:
    """What a process that still runs has taken, by the system's own count."""
    system = Path(f"/proc/{process.pid}")
    status = (system / "status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * KIB
    # The name of the program, in brackets, may hold blanks; time of it and of the system for it come 11 words later.
    words = (system / "stat").read_text().rsplit(")")[-1].split()
    ticks = int(words[11]) + int(words[12])
    return Took(
        wall=wall,
        cpu=ticks / os.sysconf("SC_CLK_TCK"),
        peak=peak,
        code=0,
    )


def same_bits(one: Path, other: Path) -> bool:
    """Whether two files are there and alike."""
    if not (one.exists() and other.exists()):
        return False
    return filecmp.cmp(one, other, shallow=False)

"""Seconds and memory of whole, large and very large scenes, kills and processes side by side: docs/scaling.md's tables.

    python benchmarks/scaling.py --data DATA --work SCRATCH [--parts small,flat,...] [--size 0.5] [--keep]

Scenes are made of real crops, mirrored and repeated: a CAVE scene of 31 bands (DATA/cave) and Indian Pines of 200
(DATA/remote_sensing), the LR-HSI behind a Gaussian PSF, noise of 0.001 in both images. They go into files in SCRATCH,
and every figure is that of a process of its own, `umsft fuse` from files to a file. `--size` makes all scenes smaller.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.scaling_scenes import Pair, blurred, cave, indian_pines, msi_of, period_of, write_repeated

ROOT = Path(__file__).resolve().parents[1]
# So many strips of the very large scene are timed, then the run is stopped.
TIMED_STRIPS = 10
KILLS = 10
POLL_SECONDS = 0.05
# What the package's plan has for the program, and for each pixel of a scene of 31 bands that is fused as a whole.
PROGRAM_MB = 250
WHOLE_NUMBERS = 277

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
        step = 4 * scale
        size = max(step, int(size * self.factor) // step * step)
        name = f"{size}_{bands}_{scale}"
        lr = self.work / f"{name}_lr.{ending}"
        hr = self.work / f"{name}_hr.{ending}"
        if not (lr.exists() and hr.exists()):
            crop = cave(self.data)
            msi_bands = 3
            if bands == 200:
                crop = indian_pines(self.data)
                msi_bands = 4
            period = period_of(crop)
            write_repeated(blurred(period, scale), size // scale, lr, 1)
            write_repeated(msi_of(period, msi_bands), size, hr, 2)
        return Pair(lr, hr, size, bands, scale)

    def start(
        self,
        pair: Pair,
        output: Path,
        preset: str,
        *settings: str,
        threads: Optional[int] = None,
        most_pixels: Optional[int] = None,
    ) -> subprocess.Popen[str]:
        """Start `umsft fuse` in a process of its own."""
        command = [sys.executable, "-W", "ignore", "-c", CHILD, "fuse", str(pair.lr), str(pair.hr), "-o", str(output)]
        command += ["-c", f"{preset}.yml"]
        if settings:
            command += ["--set", *settings]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if threads is not None:
            environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = str(threads)
        if most_pixels is not None:
            environment["MOST_PIXELS"] = str(most_pixels)
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def fuse(
        self,
        pair: Pair,
        output: Path,
        preset: str,
        *settings: str,
        label: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        """Fuse and note what it took."""
        started = time.perf_counter()
        process = self.start(pair, output, preset, *settings, **more)
        told, _ = process.communicate()
        wall = time.perf_counter() - started
        return self.note(pair, preset, settings, told, wall, label)

    def note(
        self,
        pair: Pair,
        preset: str,
        settings: tuple[str, ...],
        told: str,
        wall: float,
        label: str,
    ) -> dict[str, Any]:
        """Read what a process told at its end, and print its row."""
        took = {"cpu": float("nan"), "peak": float("nan"), "code": -1}
        if "TOOK " in told:
            took = json.loads(told.split("TOOK ")[-1].splitlines()[0])
        if took["code"] != 0:
            print(told, file=sys.stderr)
        learned = told.split("learned    ")[-1].splitlines()[0] if "learned    " in told else ""
        strips = told.split("plan       ")[-1].split(" strips")[0] if "plan       " in told else ""
        row = {
            "scene": pair.name,
            "preset": preset,
            "settings": " ".join(settings),
            "wall": wall,
            **took,
            "strips": strips,
            "us a pixel": 1e6 * took["cpu"] / pair.size**2,
            "label": f"{label} {learned}".strip(),
        }
        self.rows.append(row)
        self.say(row)
        return row

    @staticmethod
    def say(row: dict[str, Any]) -> None:
        """Print a row of the table."""
        cells = [
            row["scene"],
            f"{row['preset']} {row['settings']}",
            f"{row['wall']:.1f} s ({row['cpu']:.1f} of processors)",
            f"{row['peak'] / 2**30:.2f} GB",
            row["strips"],
            f"{row['us a pixel']:.2f} µs",
            row["label"],
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def fresh(output: Path) -> Path:
    """Remove a result, and what an earlier run may have left of it; return the folder of what is on the way."""
    folder = output.with_name(f".strips_{output.name}")
    output.unlink(missing_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)
    return folder


def small(bench: Bench) -> None:
    """512² as a whole."""
    pair = bench.pair(512, 8)
    for preset in bench.presets:
        bench.fuse(pair, bench.work / "fused.npy", preset)


def alike(bench: Bench) -> None:
    """What strips of 512² differ by from the whole, as parts of the range."""
    pair = bench.pair(512, 8)
    strips = 16
    for preset in bench.presets:
        whole, parts = bench.work / "whole.npy", bench.work / "parts.npy"
        bench.fuse(pair, whole, preset, label="as a whole")
        fresh(parts)
        settings = (f"runtime.memory={strips_memory(pair)}",)
        process = bench.start(pair, parts, preset, *settings, most_pixels=pair.size**2 // strips)
        started = time.perf_counter()
        told, _ = process.communicate()
        wall = time.perf_counter() - started
        expected = np.load(whole)
        apart = np.load(parts) - expected
        span = float(np.ptp(expected))
        # From row to row, where strips meet and elsewhere.
        steps = np.abs(np.diff(apart, axis=0)).max(axis=(1, 2)) / span
        height = pair.size // strips
        meet = np.zeros(len(steps), dtype=bool)
        meet[height - 1 :: height] = True
        largest = np.abs(apart).max() / span
        usual = float(np.sqrt(np.mean(np.square(apart, dtype=np.float64)))) / span
        label = f"apart by {largest:.1e} at most, {usual:.1e} root mean square; steps where strips meet"
        label += f" {steps[meet].max():.1e}, elsewhere {steps[~meet].max():.1e}"
        bench.note(pair, preset, settings, told, wall, label)


def large(bench: Bench) -> None:
    """2048² in 1.5 GB."""
    pair = bench.pair(2048, 8)
    for preset in bench.presets:
        bench.fuse(pair, bench.work / "fused.npy", preset, "runtime.memory=1.5GB")


def bands(bench: Bench) -> None:
    """1024² of 200 bands, GeoTIFF."""
    pair = bench.pair(1024, 4, 200, "tif")
    bench.fuse(pair, bench.work / "fused.tif", "fast", "runtime.memory=2GB")


def huge(bench: Bench) -> None:
    """6000², GeoTIFF: begun, ten strips timed, the rest extrapolated."""
    pair = bench.pair(6000, 4, 31, "tif")
    output = bench.work / "huge.tif"
    folder = fresh(output)
    started = time.perf_counter()
    process = bench.start(pair, output, "fast", "runtime.memory=3GB")
    while process.poll() is None and len(list(folder.glob("strip_*.json"))) < TIMED_STRIPS:
        time.sleep(POLL_SECONDS)
    wall = time.perf_counter() - started
    if process.poll() is not None:
        # Refused, or done before ten strips were there.
        bench.note(pair, "fast", ("runtime.memory=3GB",), process.communicate()[0], wall, "")
        return
    records = [json.loads(file.read_text()) for file in sorted(folder.glob("strip_*.json"))]
    strips = json.loads((folder / "plan.json").read_text())["plan"]["count"]
    peak = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")")[-1].split()[11:13]
    cpu = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    process.kill()
    process.communicate()
    fresh(output)
    each = [record["seconds"] for record in records]
    learned = wall - sum(each)
    whole = learned + strips * float(np.mean(each))
    row = {
        "scene": pair.name,
        "preset": "fast",
        "settings": "runtime.memory=3GB",
        "wall": wall,
        "cpu": cpu,
        "peak": peak,
        "strips": f"{len(each)} of {strips}",
        "us a pixel": 1e6 * whole / pair.size**2,
        "label": f"learned in {learned:.0f} s, a strip {np.mean(each):.1f} s, all: {whole:.0f} s and the writing",
    }
    bench.rows.append(row)
    bench.say(row)


def flat(bench: Bench, sizes: Sequence[int] = (512, 1024, 2048)) -> None:
    """Cost per pixel from 512² to 2048²."""
    for size in sizes:
        pair = bench.pair(size, 8)
        bench.fuse(pair, bench.work / "fused.npy", "fast", "runtime.memory=1.5GB")


def vast(bench: Bench) -> None:
    """The same for 4096²."""
    flat(bench, (4096,))


def strips_memory(pair: Pair) -> str:
    """Memory that is less than what a fusion as a whole would take."""
    megabytes = PROGRAM_MB + 0.85 * WHOLE_NUMBERS * 4 * pair.size**2 / 2**20
    return f"{megabytes:.0f}MB"


def _strips_of(bench: Bench, preset: str) -> tuple[Pair, tuple[str, ...], int]:
    """A scene, settings and HR pixels of a strip for what is done to strips."""
    size, strips = 1024, 32
    if preset == "best":
        # It goes through them three times.
        size, strips = 512, 16
    pair = bench.pair(size, 8)
    return pair, (f"runtime.memory={strips_memory(pair)}",), pair.size**2 // strips


def same_bits(one: Path, other: Path) -> bool:
    """Whether two files are there and alike."""
    if not (one.exists() and other.exists()):
        return False
    return filecmp.cmp(one, other, shallow=False)


def kills(bench: Bench) -> None:
    """Ten kills at random strips, and the same bits."""
    for preset in bench.presets:
        pair, settings, most = _strips_of(bench, preset)
        once = bench.work / "once.npy"
        bench.fuse(pair, once, preset, *settings, most_pixels=most, label="not killed")
        output = bench.work / "killed.npy"
        folder = fresh(output)
        chance = random.Random(1)
        killed = 0
        started = time.perf_counter()
        while True:
            process = bench.start(pair, output, preset, *settings, most_pixels=most)
            before = len(list(folder.glob("*strip_*.json")))
            wanted = before + chance.randint(0, 2)
            delay = chance.uniform(0.0, 0.3)
            while killed < KILLS and process.poll() is None and len(list(folder.glob("*strip_*.json"))) <= wanted:
                time.sleep(POLL_SECONDS)
            if killed == KILLS or process.poll() is not None:
                told, _ = process.communicate()
                break
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
        wall = time.perf_counter() - started
        equal = same_bits(once, output)
        bench.note(pair, preset, settings, told, wall, f"killed {killed} times; bits equal: {equal}")
        output.unlink(missing_ok=True)


def processes(bench: Bench) -> None:
    """One process on all cores, then one, two and four of one thread each: their bits are compared.

    Matrix products add up in another order on another number of threads.
    """
    cores = os.cpu_count() or 1
    for preset in bench.presets:
        pair, settings, most = _strips_of(bench, preset)
        reference = bench.work / "by_1_of_1.npy"
        alone = 0.0
        for count, threads in ((1, cores), (1, 1), (2, 1), (4, 1)):
            output = bench.work / f"by_{count}_of_{threads}.npy"
            fresh(output)
            started = time.perf_counter()
            together = [
                bench.start(pair, output, preset, *settings, most_pixels=most, threads=threads) for _ in range(count)
            ]
            told = [process.communicate()[0] for process in together]
            wall = time.perf_counter() - started
            alone = alone or wall
            label = f"{count} processes, {threads} thread(s) each, {wall / alone:.2f} of one process on all cores"
            if threads == 1:
                label += f"; bits of one process on one thread: {same_bits(reference, output)}"
            bench.note(pair, preset, settings, max(told, key=len), wall, label)


PARTS: dict[str, Callable[[Bench], None]] = {
    "small": small,
    "alike": alike,
    "large": large,
    "bands": bands,
    "huge": huge,
    "flat": flat,
    "vast": vast,
    "kills": kills,
    "processes": processes,
}


def main(argv: Optional[list[str]] = None) -> int:
    """Run the parts asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--work", type=Path, required=True, help="scratch folder, not in the repository")
    parser.add_argument("--parts", default=",".join(PARTS), help="names separated by commas: " + ", ".join(PARTS))
    parser.add_argument("--size", type=float, default=1.0, help="factor on the sizes of all scenes")
    parser.add_argument("--presets", default="fast,best", help="of these where a part has both (default: both)")
    parser.add_argument("--keep", action="store_true", help="leave the scenes' files")
    options = parser.parse_args(argv)
    bench = Bench(options.data, options.work, options.size, options.presets.split(","))
    print("| scene | command | seconds | peak memory (VmHWM) | strips | a pixel | |\n|---|---|---|---|---|---|---|")
    for name in options.parts.split(","):
        PARTS[name](bench)
    (options.work / "rows.json").write_text(json.dumps(bench.rows, indent=1))
    if not options.keep:
        for file in options.work.glob("*_[lh]r.*"):
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())

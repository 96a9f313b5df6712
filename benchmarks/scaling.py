"""Seconds and memory of whole, large and very large scenes, kills and processes side by side: docs/scaling.md's tables.

    python benchmarks/scaling.py --data DATA --work SCRATCH [--parts small,flat,...] [--size 0.5] [--keep]

Scenes are made of real crops, mirrored and repeated: a CAVE scene of 31 bands (DATA/cave) and Indian Pines of 200
(DATA/remote_sensing), the LR-HSI behind a Gaussian PSF, noise of 0.001 in both images. They go into files in SCRATCH,
and every figure is that of a process of its own, `umsft fuse` from files to a file. `--size` makes all scenes smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.scaling_runs import Bench, fresh, same_bits, strips_done, taken_so_far
from benchmarks.scaling_scenes import Pair

# So many strips of the very large scene are timed, then the run is stopped.
TIMED_STRIPS = 10
KILLS = 10
# A kill falls upon one of the next strips, and so many seconds later at most.
MOST_STRIPS_LATER = 2
MOST_SECONDS_LATER = 0.3
POLL_SECONDS = 0.05
# What the package's plan has for the program, and for each pixel of a scene of 31 bands that is fused as a whole.
PROGRAM_MB = 250
WHOLE_NUMBERS = 277
# So much of that is allowed where strips are wanted.
NOT_ENOUGH = 0.85
FLOAT32 = 4
MIB = 2**20


@dataclass(frozen=True)
class Strips:
    """A scene that is fused strip by strip, though it would fit as a whole.

    Attributes:
        pair: The scene.
        settings: That make it so.
        most_pixels: HR pixels of a strip.
    """

    pair: Pair
    settings: tuple[str, ...]
    most_pixels: int


def in_strips(pair: Pair, count: int) -> Strips:
    """A scene in so many strips, by allowing less memory than a fusion as a whole would take."""
    numbers = WHOLE_NUMBERS * pair.size**2
    whole_mb = numbers * FLOAT32 / MIB
    megabytes = PROGRAM_MB + NOT_ENOUGH * whole_mb
    return Strips(
        pair=pair,
        settings=(f"runtime.memory={megabytes:.0f}MB",),
        most_pixels=pair.size**2 // count,
    )


def strips_for(bench: Bench, preset: str) -> Strips:
    """What is killed and what is fused by several processes."""
    if preset == "best":
        # It goes through them three times.
        return in_strips(bench.pair(512, 8), 16)
    return in_strips(bench.pair(1024, 8), 32)


def small(bench: Bench) -> None:
    """512² as a whole."""
    pair = bench.pair(512, 8)
    for preset in bench.presets:
        bench.fuse(pair, bench.work / "fused.npy", preset)


def alike(bench: Bench) -> None:
    """What strips of 512² differ by from the whole, as parts of the range."""
    pair = bench.pair(512, 8)
    count = 16
    strips = in_strips(pair, count)
    for preset in bench.presets:
        whole = bench.work / "whole.npy"
        bench.fuse(pair, whole, preset, label="as a whole")
        parts = bench.work / "parts.npy"
        fresh(parts)
        started = time.perf_counter()
        process = bench.start(
            pair,
            parts,
            preset,
            *strips.settings,
            most_pixels=strips.most_pixels,
        )
        told, _ = process.communicate()
        wall = time.perf_counter() - started
        label = apart_words(np.load(parts), np.load(whole), pair.size // count)
        bench.note(pair, preset, strips.settings, told, wall, label)


def apart_words(
    parts: np.ndarray,
    whole: np.ndarray,
    height: int,
) -> str:
    """Say what strips of so many rows differ by from the whole, and whether one sees where they meet."""
    apart = parts - whole
    span = float(np.ptp(whole))
    largest = np.abs(apart).max() / span
    squares = np.square(apart, dtype=np.float64)
    usual = float(np.sqrt(np.mean(squares))) / span
    # From row to row, where strips meet and elsewhere.
    changes = np.abs(np.diff(apart, axis=0))
    steps = changes.max(axis=(1, 2)) / span
    meet = np.zeros(len(steps), dtype=bool)
    meet[height - 1 :: height] = True
    label = f"apart by {largest:.1e} at most, {usual:.1e} root mean square; steps where strips meet"
    return f"{label} {steps[meet].max():.1e}, elsewhere {steps[~meet].max():.1e}"


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
    settings = ("runtime.memory=3GB",)
    started = time.perf_counter()
    process = bench.start(pair, output, "fast", *settings)
    while process.poll() is None and len(strips_done(folder)) < TIMED_STRIPS:
        time.sleep(POLL_SECONDS)
    wall = time.perf_counter() - started
    if process.poll() is not None:
        # Refused, or done before ten strips were there.
        told, _ = process.communicate()
        bench.note(pair, "fast", settings, told, wall, "")
        return
    seconds = []
    for file in strips_done(folder):
        record = json.loads(file.read_text())
        seconds.append(record["seconds"])
    plan = json.loads((folder / "plan.json").read_text())
    count = plan["plan"]["count"]
    took = taken_so_far(process, wall)
    process.kill()
    process.communicate()
    fresh(output)
    learned = wall - sum(seconds)
    each = float(np.mean(seconds))
    whole = learned + count * each
    bench.add(
        pair,
        "fast",
        settings,
        took,
        strips=f"{len(seconds)} of {count}",
        label=f"learned in {learned:.0f} s, a strip {each:.1f} s, all: {whole:.0f} s and the writing",
        whole=whole,
    )


def flat(
    bench: Bench,
    sizes: Sequence[int] = (512, 1024, 2048),
    memory: str = "1.5GB",
) -> None:
    """Cost per pixel from 512² to 2048²."""
    for size in sizes:
        pair = bench.pair(size, 8)
        bench.fuse(pair, bench.work / "fused.npy", "fast", f"runtime.memory={memory}")


def vast(bench: Bench) -> None:
    """The same for 4096², whose rows are twice as long: strips of as many rows take twice the memory."""
    flat(bench, (4096,), "3GB")


def kills(bench: Bench) -> None:
    """Ten kills at random strips, and the same bits."""
    for preset in bench.presets:
        strips = strips_for(bench, preset)
        once = bench.work / "once.npy"
        bench.fuse(
            strips.pair,
            once,
            preset,
            *strips.settings,
            most_pixels=strips.most_pixels,
            label="not killed",
        )
        output = bench.work / "killed.npy"
        started = time.perf_counter()
        killed, told = killed_until_done(bench, strips, preset, output)
        wall = time.perf_counter() - started
        label = f"killed {killed} times; bits equal: {same_bits(once, output)}"
        bench.note(strips.pair, preset, strips.settings, told, wall, label)
        output.unlink(missing_ok=True)


def killed_until_done(
    bench: Bench,
    strips: Strips,
    preset: str,
    output: Path,
) -> tuple[int, str]:
    """Begin, kill and go on; return how often it was killed, and what the last process told."""
    folder = fresh(output)
    chance = random.Random(1)
    killed = 0
    while True:
        process = bench.start(
            strips.pair,
            output,
            preset,
            *strips.settings,
            most_pixels=strips.most_pixels,
        )
        # Each stage of an ensemble puts its name before those of its strips.
        before = len(list(folder.glob("*strip_*.json")))
        wanted = before + chance.randint(0, MOST_STRIPS_LATER)
        delay = chance.uniform(0.0, MOST_SECONDS_LATER)
        if killed < KILLS:
            wait_for_strips(process, folder, wanted)
        if killed == KILLS or process.poll() is not None:
            told, _ = process.communicate()
            return killed, told
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += 1


def wait_for_strips(
    process: subprocess.Popen[str],
    folder: Path,
    wanted: int,
) -> None:
    """Wait until more strips than these are there, or the process has ended."""
    while process.poll() is None:
        done = list(folder.glob("*strip_*.json"))
        if len(done) > wanted:
            return
        time.sleep(POLL_SECONDS)


def processes(bench: Bench) -> None:
    """One process on all cores, then one, two and four of one thread each: their bits are compared.

    Matrix products add up in another order on another number of threads.
    """
    cores = os.cpu_count() or 1
    for preset in bench.presets:
        strips = strips_for(bench, preset)
        reference = bench.work / "by_1_of_1.npy"
        alone: Optional[float] = None
        for count, threads in ((1, cores), (1, 1), (2, 1), (4, 1)):
            output = bench.work / f"by_{count}_of_{threads}.npy"
            fresh(output)
            started = time.perf_counter()
            told = told_together(bench, strips, preset, output, count, threads)
            wall = time.perf_counter() - started
            if alone is None:
                alone = wall
            label = f"{count} processes, {threads} thread(s) each, {wall / alone:.2f} of one process on all cores"
            if threads == 1:
                label += f"; bits of one process on one thread: {same_bits(reference, output)}"
            # That which had most to tell had most to do.
            longest = max(told, key=len)
            bench.note(strips.pair, preset, strips.settings, longest, wall, label)


def told_together(
    bench: Bench,
    strips: Strips,
    preset: str,
    output: Path,
    count: int,
    threads: int,
) -> list[str]:
    """Let several processes of so many threads make one result; return what each told."""
    together = []
    for _ in range(count):
        process = bench.start(
            strips.pair,
            output,
            preset,
            *strips.settings,
            most_pixels=strips.most_pixels,
            threads=threads,
        )
        together.append(process)
    told = []
    for process in together:
        words, _ = process.communicate()
        told.append(words)
    return told


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


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--data", type=Path, required=True, help="folder of the real data")
    add("--work", type=Path, required=True, help="scratch folder, not in the repository")
    add("--parts", default=",".join(PARTS), help="names separated by commas: " + ", ".join(PARTS))
    add("--size", type=float, default=1.0, help="factor on the sizes of all scenes")
    add("--presets", default="fast,best", help="of these where a part has both (default: both)")
    add("--keep", action="store_true", help="leave the scenes' files")
    return made


def main(argv: Optional[list[str]] = None) -> int:
    """Run the parts asked for and print a table."""
    options = parser().parse_args(argv)
    bench = Bench(
        data=options.data,
        work=options.work,
        factor=options.size,
        presets=options.presets.split(","),
    )
    print("| scene | command | seconds | peak memory (VmHWM) | strips | a pixel | |")
    print("|---|---|---|---|---|---|---|")
    for name in options.parts.split(","):
        part = PARTS[name]
        part(bench)
    rows = json.dumps(bench.rows, indent=1)
    (options.work / "rows.json").write_text(rows)
    if not options.keep:
        for file in options.work.glob("*_[lh]r.*"):
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())

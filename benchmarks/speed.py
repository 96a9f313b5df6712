"""Seconds and memory of one fusion step: this project beside the published network in PyTorch, on this machine.

    python benchmarks/speed.py [--network uhntc] [--size 128 ...] [--case 128x4@128] [--repeats 10] [--threads 2]
                               [--clock cpu] [--json FILE]

One process per program: this project, the same with `runtime.precision: bf16` where the processor has instructions for
it, the PyTorch twin with all layers of the published encoders, and the twin with the dead ones cut (uHNTC has none).
They take turns step by step, so that other work on the machine falls on all alike; medians over the repeats, and the
ratio of each turn with its spread. On a busy machine take `--threads 1 --clock cpu`: waiting for a processor does not
count then. Needs torch beside paddlepaddle.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.speed_steps import CLOCK, CLOCKS, Ours, OursUhntc, Runner, Size, Torch, TorchUhntc, parse_size

PROGRAMS = {"umsft": ("ours", "bf16", "published", "trimmed"), "uhntc": ("ours", "bf16", "published")}
OURS = ("ours", "bf16")
PARTS = ("forward", "backward", "update")
# Steps before those that count.
WARM_UP = 2
# Of the scenes that have a size alone.
CAVE_BANDS = 31
CAVE_MSI_BANDS = 3
CAVE_SCALE = 8
USUAL_SIZES = (128, 256, 512)
KIB_IN_MIB = 1024
# What is shown of a worker that ended early.
LAST_WORDS = 2000
# Columns of the table: heading, key of a result, width.
SECONDS = (
    ("ours s", "ours_s", 8),
    ("bf16 s", "bf16_s", 8),
    ("publ. s", "published_s", 8),
    ("trim. s", "trimmed_s", 8),
)
RATIOS = (
    ("/publ.", "ratio_published", 15),
    ("/trim.", "ratio_trimmed", 15),
    ("bf16/publ.", "ratio_bf16_to_published", 15),
    ("bf16/ours", "ratio_bf16_to_float32", 15),
)
PEAKS = (
    ("MB ours", "peak_mb", 8),
    ("bf16", "bf16_peak_mb", 7),
    ("publ.", "published_peak_mb", 7),
    ("trim.", "trimmed_peak_mb", 7),
)


def runner_of(
    network: str,
    program: str,
    size: Size,
) -> Runner:
    """Make what a worker steps."""
    if program == "bf16":
        from paddle_umsft.methods.networks import ops

        ops.set_precision("bf16")
    if program in OURS:
        if network == "uhntc":
            return OursUhntc(size)
        return Ours(size)
    is_trimmed = program == "trimmed"
    if network == "uhntc":
        return TorchUhntc(size, is_trimmed=is_trimmed)
    return Torch(size, is_trimmed=is_trimmed)


def work(
    network: str,
    program: str,
    size: Size,
) -> int:
    """A worker: one step per line read, one line of JSON back."""
    # What libraries print must not come between the answers.
    answers = sys.stdout
    sys.stdout = sys.stderr
    if program in OURS:
        from paddle_umsft.machine.environment import prepare_environment

        prepare_environment()
    runner = runner_of(network, program, size)
    print(json.dumps({"note": runner.note}), file=answers, flush=True)
    for _ in sys.stdin:
        seconds = runner.step()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        answer = {
            "seconds": seconds,
            "peak_mb": usage.ru_maxrss / KIB_IN_MIB,
        }
        print(json.dumps(answer), file=answers, flush=True)
    return 0


class Worker:
    """A process that steps on demand.

    Args:
        network: "umsft" or "uhntc".
        program: One of `PROGRAMS`.
        size: Of the scene.
        threads: Of the process.
    """

    def __init__(
        self,
        network: str,
        program: str,
        size: Size,
        threads: int,
    ) -> None:
        command = [sys.executable, "-W", "ignore", str(Path(__file__).resolve())]
        command += ["--worker", program, "--network", network, "--case", size.name]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            text=True,
        )
        self.note = self._read()["note"]
        self.steps: list[list[float]] = []
        self.peak_mb = 0.0

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            words = self.process.stderr.read()
            raise SystemExit("a worker ended early:\n" + words[-LAST_WORDS:])
        return dict(json.loads(line))

    def step(self, warm: bool = False) -> None:
        """One step; a warm-up step is not recorded."""
        assert self.process.stdin is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        answer = self._read()
        self.peak_mb = answer["peak_mb"]
        if not warm:
            self.steps.append(answer["seconds"])

    def seconds(self) -> list[float]:
        """Of each recorded step."""
        return [sum(step) for step in self.steps]

    def parts(self) -> dict[str, float]:
        """Median seconds of each part of a step."""
        medians = {}
        for name, seconds in zip(PARTS, zip(*self.steps)):
            medians[name] = statistics.median(seconds)
        return medians

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def quartiles(values: list[float]) -> list[float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return [values[0]] * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def stepped(
    network: str,
    size: Size,
    repeats: int,
    threads: int,
    programs: Sequence[str],
) -> dict[str, Worker]:
    """Let the programs take turns; return the workers, which have ended, by program."""
    workers = {}
    for name in programs:
        workers[name] = Worker(network, name, size, threads)
    try:
        for number in range(WARM_UP + repeats):
            for worker in workers.values():
                worker.step(warm=number < WARM_UP)
    finally:
        for worker in workers.values():
            worker.close()
    return workers


def measure(
    network: str,
    size: Size,
    repeats: int,
    threads: int,
    programs: Sequence[str],
) -> dict[str, Any]:
    """Medians, ratios with quartiles, peak memory of one case."""
    workers = stepped(
        network,
        size,
        repeats,
        threads,
        programs,
    )
    result: dict[str, Any] = {"repeats": repeats, "threads": threads}
    for name, worker in workers.items():
        result[f"{name}_s"] = statistics.median(worker.seconds())
        result[f"{name}_parts_s"] = worker.parts()
        peak = f"{name}_peak_mb"
        if name == "ours":
            peak = "peak_mb"
        result[peak] = worker.peak_mb
        result[f"{name}_note"] = worker.note
    for key, of, to in ratios(programs):
        turns = []
        for seconds, by in zip(workers[of].seconds(), workers[to].seconds()):
            turns.append(seconds / by)
        low, middle, high = quartiles(turns)
        result[f"ratio_{key}"] = middle
        result[f"ratio_{key}_quartiles"] = [low, high]
    return result


def ratios(programs: Sequence[str]) -> list[tuple[str, str, str]]:
    """What is divided by what: (name, program, by which program)."""
    twins = [name for name in programs if name not in OURS]
    found = [(twin, "ours", twin) for twin in twins]
    if "bf16" in programs:
        found.append(("bf16_to_float32", "bf16", "ours"))
        for twin in twins:
            found.append((f"bf16_to_{twin}", "bf16", twin))
    return found


def table(results: dict[str, dict[str, Any]]) -> str:
    """What was measured, for the eye."""
    headings = ["case".rjust(14), "thr"]
    for heading, _, width in (*SECONDS, *RATIOS, *PEAKS):
        headings.append(heading.rjust(width))
    lines = [" ".join(headings)]
    for name, result in results.items():
        lines.append(table_row(name, result))
    for name, result in results.items():
        lines += part_lines(name, result)
    return "\n".join(lines)


def table_row(name: str, result: dict[str, Any]) -> str:
    """The row of a case; a dash for programs that did not run."""
    case, _, _ = name.partition("/")
    cells = [case.rjust(14), str(result["threads"]).rjust(3)]
    for _, key, width in SECONDS:
        cell = "-"
        if key in result:
            cell = f"{result[key]:.3f}"
        cells.append(cell.rjust(width))
    for _, key, width in RATIOS:
        cell = "-"
        if key in result:
            low, high = result[f"{key}_quartiles"]
            cell = f"{result[key]:.2f} [{low:.2f},{high:.2f}]"
        cells.append(cell.rjust(width))
    for _, key, width in PEAKS:
        cell = "-"
        if key in result:
            cell = f"{result[key]:.0f}"
        cells.append(cell.rjust(width))
    return " ".join(cells)


def part_lines(name: str, result: dict[str, Any]) -> list[str]:
    """A line a program: seconds of forward, backward and update."""
    lines = []
    for program in PROGRAMS["umsft"]:
        seconds = result.get(f"{program}_parts_s")
        if seconds is None:
            continue
        parts = [f"{part} {value:.3f}" for part, value in seconds.items()]
        listed = ", ".join(parts)
        lines.append(f"{name:>18} {program:>9}: {listed}")
    return lines


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    first_line, _, _ = (__doc__ or "").partition("\n")
    made = argparse.ArgumentParser(description=first_line)
    add = made.add_argument
    add("--network", choices=list(PROGRAMS), default="umsft", help="which one (default umsft)")
    add("--size", type=int, nargs="*", help="sizes of 31x3-band scenes, x8 (default 128 256 512)")
    add("--case", nargs="*", default=[], help="others, bands x msi @ size [s scale], e.g. 128x4@128")
    add("--repeats", type=int, default=10)
    add("--threads", type=int, nargs="*", help="thread counts (default: physical cores)")
    add("--clock", choices=list(CLOCKS), default="wall", help="cpu: processor time, with 1 thread")
    add("--only-ours", action="store_true", help="leave PyTorch out")
    add("--json", type=Path, help="write the figures here")
    add("--worker", choices=PROGRAMS["umsft"], help=argparse.SUPPRESS)
    return made


def sizes_of(options: argparse.Namespace) -> list[Size]:
    """The scenes that were asked for."""
    sizes = options.size
    if sizes is None and not options.case:
        sizes = USUAL_SIZES
    cases = []
    for size in sizes or ():
        case = Size(
            bands=CAVE_BANDS,
            msi_bands=CAVE_MSI_BANDS,
            size=size,
            scale=CAVE_SCALE,
        )
        cases.append(case)
    for text in options.case:
        cases.append(parse_size(text))
    return cases


def key_of(
    size: Size,
    threads: int,
    options: argparse.Namespace,
) -> str:
    """What a case is called in the file of figures."""
    key = f"{size.name}/{threads}"
    usual = Size(
        bands=CAVE_BANDS,
        msi_bands=CAVE_MSI_BANDS,
        size=size.size,
        scale=CAVE_SCALE,
    )
    several_counts = len(options.threads or ()) > 1
    if size == usual and not several_counts:
        key = str(size.size)
    if options.network != "umsft":
        key = f"{options.network} {key}"
    return key


def programs_of(options: argparse.Namespace) -> list[str]:
    """The programs that take turns."""
    from paddle_umsft.machine.environment import has_bf16_instructions

    programs: Sequence[str] = PROGRAMS[options.network]
    if options.only_ours:
        programs = OURS
    if has_bf16_instructions():
        return list(programs)
    return [name for name in programs if name != "bf16"]


def main(argv: Optional[list[str]] = None) -> int:
    """Parse, measure, print, write."""
    options = parser().parse_args(argv)
    if options.worker:
        size = parse_size(options.case[0])
        return work(options.network, options.worker, size)
    os.environ[CLOCK] = options.clock
    from paddle_umsft.machine.environment import physical_cores

    counts = options.threads or [physical_cores()]
    programs = programs_of(options)
    results: dict[str, dict[str, Any]] = {}
    for size in sizes_of(options):
        for threads in counts:
            key = key_of(size, threads, options)
            results[key] = measure(
                options.network,
                size,
                options.repeats,
                threads,
                programs,
            )
            print(table({key: results[key]}), flush=True)
            if options.json:
                figures = json.dumps(results, indent=1)
                options.json.write_text(figures + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

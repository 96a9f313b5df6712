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
import time
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = {"umsft": ("ours", "bf16", "published", "trimmed"), "uhntc": ("ours", "bf16", "published")}
OURS = ("ours", "bf16")
PARTS = ("forward", "backward", "update")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
CAVE_SPANS = ((20, 31), (10, 23), (0, 12))
CHIKUSEI_SPANS = ((0, 30), (13, 50), (41, 84), (68, 128))


def spans_of(bands: int, msi_bands: int) -> tuple[tuple[int, int], ...]:
    """Supports: the published ones where there are any, else equal shares."""
    if (bands, msi_bands) == (31, 3):
        return CAVE_SPANS
    if (bands, msi_bands) == (128, 4):
        return CHIKUSEI_SPANS
    edges = [round(i * bands / msi_bands) for i in range(msi_bands + 1)]
    return tuple(zip(edges, edges[1:]))


def scene(bands: int, msi_bands: int, size: int, scale: int) -> tuple[Any, Any]:
    """LR-HSI and HR-MSI, (1, C, h, w) and (1, M, H, W) float32, the same in every process."""
    import numpy as np

    y, x = np.mgrid[:size, :size] / 32.0
    band = np.linspace(0, 1, bands)[:, None, None]
    cube = 0.5 + 0.25 * np.sin(2 * x + 3 * band) * np.cos(y - band) + 0.2 * np.sin(5 * x * y / (1 + band))
    cube = cube.astype(np.float32)
    low = cube.reshape(bands, size // scale, scale, size // scale, scale).mean(axis=(2, 4))
    msi = np.stack([cube[a:b].mean(axis=0) for a, b in spans_of(bands, msi_bands)])
    return low[None], msi[None]


def clock() -> float:
    """Seconds by the clock that the parent chose."""
    return CLOCKS[os.environ.get("SPEED_CLOCK", "wall")]()


class Ours:
    """One fusion step of this project."""

    def __init__(self, bands: int, msi_bands: int, size: int, scale: int, _: str) -> None:
        import paddle

        from paddle_umsft.methods.networks import ops
        from paddle_umsft.methods.networks.psf_layers import LearnedPsf
        from paddle_umsft.methods.networks.srf_layers import LearnedSrf
        from paddle_umsft.methods.umsft.network import UMSFT

        paddle.seed(1)
        self.paddle, self.note = paddle, ops.active()
        low, msi = (paddle.to_tensor(a) for a in scene(bands, msi_bands, size, scale))
        self.net = UMSFT(bands=bands, msi_bands=msi_bands)
        self.srf = LearnedSrf(bands=bands, supports=spans_of(bands, msi_bands))
        self.psf = LearnedPsf(scale=scale)
        self.low, self.msi, self.inputs = low, msi, self.net.prepare(low, msi)
        parameters = [p for p in self.net.parameters() if not p.stop_gradient] + self.srf.parameters()
        self.optimizer = paddle.optimizer.AdamW(2e-3, parameters=parameters, weight_decay=0.01)

    def step(self) -> list[float]:
        """Seconds of forward with losses, backward, and update."""
        loss_of = self.paddle.nn.functional.l1_loss
        start = clock()
        fused = self.net(self.inputs, self.srf)
        loss = loss_of(self.psf(fused), self.low) + loss_of(self.srf(fused), self.msi)
        forward = clock()
        loss.backward()
        backward = clock()
        self.optimizer.step()
        self.optimizer.clear_grad()
        self.psf.clear_gradients()
        return [forward - start, backward - forward, clock() - backward]


class OursUhntc(Ours):
    """One fusion step of this project's uHNTC."""

    def __init__(self, bands: int, msi_bands: int, size: int, scale: int, _: str) -> None:
        import paddle

        from paddle_umsft.methods.networks import ops
        from paddle_umsft.methods.networks.psf_layers import LearnedPsf
        from paddle_umsft.methods.networks.srf_layers import LearnedSrf
        from paddle_umsft.methods.uhntc.network import UHNTC

        paddle.seed(1)
        self.paddle, self.note = paddle, ops.active()
        self.low, self.msi = (paddle.to_tensor(a) for a in scene(bands, msi_bands, size, scale))
        network = UHNTC(bands=bands, msi_bands=msi_bands)
        self.inputs = network.prepare(self.low, self.msi)
        self.net = lambda inputs, srf: network(inputs)
        self.srf = LearnedSrf(bands=bands, supports=spans_of(bands, msi_bands))
        self.psf = LearnedPsf(scale=scale)
        parameters = [p for p in network.parameters() if not p.stop_gradient]
        self.optimizer = paddle.optimizer.AdamW(8e-3, parameters=parameters, weight_decay=0.01)

    def step(self) -> list[float]:
        seconds = super().step()
        self.srf.clear_gradients()
        return seconds


class Torch:
    """One fusion step of the PyTorch twin."""

    def __init__(self, bands: int, msi_bands: int, size: int, scale: int, program: str) -> None:
        sys.path.insert(0, str(ROOT / "tests" / "parity"))
        import torch
        import torch_twin

        torch.manual_seed(1)
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.note = f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread(s)"
        low, msi = (torch.from_numpy(a) for a in scene(bands, msi_bands, size, scale))
        net = torch_twin.Umsft(low, msi, torch_twin.SrfNet(spans_of(bands, msi_bands)), program == "published")
        self.fusion = torch_twin.Fusion(net, torch_twin.PsfNet(scale), low, msi, steps=10**9)

    def step(self) -> list[float]:
        """Seconds of forward with losses, backward, and update."""
        start = clock()
        loss, _ = self.fusion.loss()
        forward = clock()
        loss.backward()
        backward = clock()
        self.fusion.optimiser.step()
        self.fusion.optimiser.zero_grad()
        self.fusion.psf.zero_grad()
        return [forward - start, backward - forward, clock() - backward]


class TorchUhntc(Torch):
    """One fusion step of uHNTC's PyTorch twin."""

    def __init__(self, bands: int, msi_bands: int, size: int, scale: int, _: str) -> None:
        sys.path.insert(0, str(ROOT / "tests" / "parity"))
        import torch
        import torch_twin
        import torch_twin_uhntc

        torch.manual_seed(1)
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.note = f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread(s)"
        low, msi = (torch.from_numpy(a) for a in scene(bands, msi_bands, size, scale))
        net = torch_twin_uhntc.Uhntc(low, msi)
        psf, srf = torch_twin.PsfNet(scale), torch_twin.SrfNet(spans_of(bands, msi_bands))
        phases = [(10**9, {"hsi": 1.0, "msi": 1.0}, False)]
        self.fusion = torch_twin_uhntc.Fusion(net, psf, srf, low, msi, phases)


RUNNERS = {"umsft": (Ours, Torch), "uhntc": (OursUhntc, TorchUhntc)}


def work(network: str, program: str, case: tuple[int, int, int, int]) -> int:
    """A worker: one step per line read, one line of JSON back."""
    sys.path.insert(0, str(ROOT))
    answers, sys.stdout = sys.stdout, sys.stderr
    if program in OURS:
        from paddle_umsft.machine.environment import prepare_environment

        prepare_environment()
    if program == "bf16":
        from paddle_umsft.methods.networks import ops

        ops.set_precision("bf16")
    ours, twin = RUNNERS[network]
    runner = (ours if program in OURS else twin)(*case, program)
    print(json.dumps({"note": runner.note}), file=answers, flush=True)
    for _ in sys.stdin:
        seconds = runner.step()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak_mb": peak}), file=answers, flush=True)
    return 0


class Worker:
    """A process that steps on demand."""

    def __init__(self, network: str, program: str, case: tuple[int, int, int, int], threads: int) -> None:
        command = [sys.executable, "-W", "ignore", str(Path(__file__).resolve()), "--worker", program]
        command += ["--network", network, "--case", case_name(case)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        )
        self.note = self._read()["note"]
        self.steps: list[list[float]] = []
        self.peak_mb = 0.0

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise SystemExit("a worker ended early:\n" + self.process.stderr.read()[-2000:])
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


def measure(
    network: str, case: tuple[int, int, int, int], repeats: int, threads: int, programs: tuple[str, ...]
) -> dict[str, Any]:
    """Let the programs take turns; medians, ratios with quartiles, peak memory."""
    workers = {name: Worker(network, name, case, threads) for name in programs}
    try:
        for _ in range(2):
            for worker in workers.values():
                worker.step(warm=True)
        for _ in range(repeats):
            for worker in workers.values():
                worker.step()
    finally:
        for worker in workers.values():
            worker.close()
    result: dict[str, Any] = {"repeats": repeats, "threads": threads}
    for name, worker in workers.items():
        result[f"{name}_s"] = statistics.median(worker.seconds())
        result[f"{name}_parts_s"] = {
            part: statistics.median(step[i] for step in worker.steps) for i, part in enumerate(PARTS)
        }
        result["peak_mb" if name == "ours" else f"{name}_peak_mb"] = worker.peak_mb
        result[f"{name}_note"] = worker.note
    for key, of, to in ratios(programs):
        turns = [a / b for a, b in zip(workers[of].seconds(), workers[to].seconds())]
        low, middle, high = quartiles(turns)
        result[f"ratio_{key}"], result[f"ratio_{key}_quartiles"] = middle, [low, high]
    return result


def ratios(programs: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """What is divided by what: (name, program, by which program)."""
    twins = [name for name in programs if name not in OURS]
    found = [(twin, "ours", twin) for twin in twins]
    if "bf16" in programs:
        found.append(("bf16_to_float32", "bf16", "ours"))
        found += [(f"bf16_to_{twin}", "bf16", twin) for twin in twins]
    return found


def case_name(case: tuple[int, int, int, int]) -> str:
    """Bands x MSI bands @ size, s scale."""
    bands, msi_bands, size, scale = case
    return f"{bands}x{msi_bands}@{size}s{scale}"


def parse_case(text: str) -> tuple[int, int, int, int]:
    """Undo `case_name`; the scale may be left out (8)."""
    bands, rest = text.split("x")
    msi_bands, rest = rest.split("@")
    size, _, scale = rest.partition("s")
    return int(bands), int(msi_bands), int(size), int(scale or 8)


def table(results: dict[str, dict[str, Any]]) -> str:
    """What was measured, for the eye."""
    lines = [
        f"{'case':>14} {'thr':>3} {'ours s':>8} {'bf16 s':>8} {'publ. s':>8} {'trim. s':>8}"
        f" {'/publ.':>15} {'/trim.':>15} {'bf16/publ.':>15} {'bf16/ours':>15}"
        f" {'MB ours':>8} {'bf16':>7} {'publ.':>7} {'trim.':>7}"
    ]
    for name, r in results.items():
        cells = [f"{name.split('/')[0]:>14} {r['threads']:>3} {r['ours_s']:8.3f}"]
        cells += [f"{r[key]:8.3f}" if key in r else f"{'-':>8}" for key in ("bf16_s", "published_s", "trimmed_s")]
        for key in ("ratio_published", "ratio_trimmed", "ratio_bf16_to_published", "ratio_bf16_to_float32"):
            if key in r:
                low, high = r[key + "_quartiles"]
                cells.append(f"{r[key]:.2f} [{low:.2f},{high:.2f}]".rjust(15))
            else:
                cells.append(f"{'-':>15}")
        peaks = [r.get(key) for key in ("peak_mb", "bf16_peak_mb", "published_peak_mb", "trimmed_peak_mb")]
        cells += [f"{peak:{8 if i == 0 else 7}.0f}" if peak else "-".rjust(7) for i, peak in enumerate(peaks)]
        lines.append(" ".join(cells))
    for name, r in results.items():
        for program in PROGRAMS["umsft"]:
            if f"{program}_parts_s" in r:
                parts = ", ".join(f"{part} {s:.3f}" for part, s in r[f"{program}_parts_s"].items())
                lines.append(f"{name:>18} {program:>9}: {parts}")
    return "\n".join(lines)


def main(argv: Optional[list[str]] = None) -> int:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", choices=list(PROGRAMS), default="umsft", help="which one (default umsft)")
    parser.add_argument("--size", type=int, nargs="*", help="sizes of 31x3-band scenes, x8 (default 128 256 512)")
    parser.add_argument("--case", nargs="*", default=[], help="others, bands x msi @ size [s scale], e.g. 128x4@128")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, nargs="*", help="thread counts (default: physical cores)")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: processor time, with 1 thread")
    parser.add_argument("--only-ours", action="store_true", help="leave PyTorch out")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--worker", choices=PROGRAMS["umsft"], help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.worker:
        return work(options.network, options.worker, parse_case(options.case[0]))
    os.environ["SPEED_CLOCK"] = options.clock
    sys.path.insert(0, str(ROOT))
    from paddle_umsft.machine.environment import has_bf16_instructions, physical_cores

    sizes = options.size if options.size is not None else ([] if options.case else [128, 256, 512])
    cases = [(31, 3, size, 8) for size in sizes] + [parse_case(text) for text in options.case]
    results: dict[str, dict[str, Any]] = {}
    for case in cases:
        for threads in options.threads or [physical_cores()]:
            plain = case[:2] == (31, 3) and case[3] == 8 and len(options.threads or [0]) == 1
            key = str(case[2]) if plain else f"{case_name(case)}/{threads}"
            key = key if options.network == "umsft" else f"{options.network} {key}"
            programs = PROGRAMS[options.network]
            if options.only_ours:
                programs = OURS
            if not has_bf16_instructions():
                programs = tuple(name for name in programs if name != "bf16")
            results[key] = measure(options.network, case, options.repeats, threads, programs)
            print(table({key: results[key]}), flush=True)
            if options.json:
                options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

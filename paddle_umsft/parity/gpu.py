"""What a GPU does with the networks, part by part, for a file that people can send. Its developers had no GPU.

A part that fails is a line of the file, and the others go on. Each part runs on a CPU as well: so it is tested.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import paddle

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.load import load_config
from paddle_umsft.data.reading import read_scene
from paddle_umsft.machine.paddle_build import gpus_of_machine, paddle_packages
from paddle_umsft.machine.versions import versions
from paddle_umsft.methods.networks.trained import main_steps_done
from paddle_umsft.methods.table import start_trained
from paddle_umsft.parity.golden import check_case
from paddle_umsft.parity.reference import BUILT_IN, read_golden

NOT_RUN_BY_US = "not run on a GPU by the developers of paddle_umsft"
# The first steps compile and choose algorithms; those after are timed.
WARM_STEPS = 3
TIMED_STEPS = 10
BYTES_PER_MB = 2**20
# An image as in the published figures, and one that any GPU holds.
SIDES = (128, 512)
WARM_UP = 2
LAUNCHED_STEPS = 3
# A launch of two processes that takes longer than this hangs.
LAUNCH_SECONDS = 900.0

Part = Callable[[], Mapping[str, Any]]


def facts() -> dict[str, Any]:
    """Return what the machine is."""
    is_gpu_build = paddle.device.is_compiled_with_cuda()
    found: dict[str, Any] = {
        "note": NOT_RUN_BY_US,
        "versions": versions(),
        "packages": paddle_packages(),
        "gpu_build": is_gpu_build,
        "gpus_of_machine": gpus_of_machine(),
        "system": platform.platform(),
    }
    if is_gpu_build and paddle.device.cuda.device_count() > 0:
        cuda = paddle.device.cuda
        found["gpus_of_paddle"] = [cuda.get_device_name(number) for number in range(cuda.device_count())]
        found["capability"] = list(cuda.get_device_capability(0))
        found["cuda"] = str(paddle.version.cuda())
        found["cudnn"] = str(paddle.version.cudnn())
    return found


def guarded(part: Part) -> dict[str, Any]:
    """Return what a part finds, with its seconds; or why it failed."""
    started = time.perf_counter()
    try:
        found = dict(part())
    # Drivers and kernels fail in ways of their own; what they say is what the file is for.
    except Exception as error:
        found = {"error": f"{type(error).__name__}: {error}"[:2000]}
    found["part_seconds"] = round(time.perf_counter() - started, 3)
    return found


def parity() -> dict[str, Any]:
    """Compare the smallest golden case on the device in use: float64, and float32 beside it."""
    cases = read_golden(BUILT_IN).cases
    smallest = min(cases, key=lambda case: case.height * case.width)
    outcome = check_case(smallest)
    broken = [row for row in outcome.rows if not row.ok]
    return {
        "case": smallest.name,
        "holds": outcome.ok,
        "comparisons": len(outcome.rows),
        "broken": [f"{row.name}: {row.difference:.3g}, allowed {row.limit:.3g}" for row in broken],
    }


def steps(side: int, device: str, *, amp: str = "off", more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Time steps of UMSFT's fusion.

    Args:
        side: H and W of the scene.
        device: "gpu" or "cpu".
        amp: "off" or "O1".
        more: Overrides of the configuration: a narrower network for a test.
    """
    shape = [f"data.demo.height={side}", f"data.demo.width={side}"]
    settings = [f"runtime.device={device}", f"runtime.amp={amp}", f"warm_up.iterations={WARM_UP}"]
    count = WARM_STEPS + TIMED_STEPS
    config = load_config("demo_umsft.yml", [*shape, *settings, f"solver.iterations={count}", *more])
    case = simulate(read_scene(config.data), config.observe, config.seed)
    method = start_trained(case.observation, config)
    on_gpu = device == "gpu"
    losses = []
    started = 0.0
    for record in method.run():
        done = main_steps_done(method)
        if done == 0:
            continue
        losses.append(float(record["loss"]))
        if done == WARM_STEPS:
            _wait(on_gpu)
            started = time.perf_counter()
    _wait(on_gpu)
    seconds = (time.perf_counter() - started) / TIMED_STEPS
    return {
        "side": side,
        "amp": amp,
        "seconds_a_step": round(seconds, 5),
        "peak_mb": _peak_mb(on_gpu),
        "losses": losses,
    }


def torch_step(twin: Path, side: int, device: str) -> dict[str, Any]:
    """Time the same network's steps in PyTorch, by the twin of the tests; says so where PyTorch is missing.

    Args:
        twin: Folder of `torch_twin.py`.
        side: H and W.
        device: "gpu" or "cpu".
    """
    sys.path.insert(0, str(twin))
    try:
        torch = import_module("torch")
        torch_twin = import_module("torch_twin")
    except ImportError as error:
        return {"skipped": str(error)}
    finally:
        sys.path.remove(str(twin))
    place = "cpu"
    if device == "gpu":
        place = "cuda"
    low = torch.rand(1, 31, side // 8, side // 8)
    high = torch.rand(1, 3, side, side)
    srf = torch_twin.SrfNet(((20, 31), (10, 23), (0, 12)))
    network = torch_twin.Umsft(low, high, srf).to(place)
    move = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for step in range(WARM_STEPS + TIMED_STEPS):
        if step == WARM_STEPS:
            started = _torch_time(torch, place)
        move.zero_grad()
        network().abs().mean().backward()
        move.step()
    seconds = (_torch_time(torch, place) - started) / TIMED_STEPS
    return {"side": side, "torch": torch.__version__, "seconds_a_step": round(seconds, 5)}


def two_ranks(train: Path, folder: Path, device: str) -> dict[str, Any]:
    """Launch two processes that share two scenes.

    Args:
        train: `tools/train.py`.
        folder: For the scenes and the results.
        device: "gpu" takes one GPU each.
    """
    scenes = folder / "scenes"
    scenes.mkdir(parents=True, exist_ok=True)
    for seed in range(2):
        made = read_scene(load_config("demo_umsft.yml", [f"data.demo.seed={seed}"]).data)
        np.save(scenes / f"{seed}.npy", made.hr_hsi)
    launcher = [sys.executable, "-m", "paddle.distributed.launch", "--log_dir", str(folder / "log")]
    launcher += ["--devices", "0,1"] if device == "gpu" else ["--nproc_per_node", "2"]
    overrides = [f"data.path={scenes}", "data.layout=hwc", f"warm_up.iterations={WARM_UP}"]
    overrides += [f"solver.iterations={LAUNCHED_STEPS}", "output.figures=false", "output.visualdl=false"]
    command = [*launcher, str(train), "-c", "demo_umsft.yml", "--device", device, "--output", str(folder / "runs")]
    done = subprocess.run(
        [*command, "-o", *overrides],
        capture_output=True,
        text=True,
        check=False,
        timeout=LAUNCH_SECONDS,
    )
    finished = list((folder / "runs").rglob("metrics.json"))
    return {"exit_code": done.returncode, "scenes_finished": len(finished), "said": done.stderr[-1000:]}


def _wait(on_gpu: bool) -> None:
    """Wait for what the GPU was told to do."""
    if on_gpu:
        paddle.device.cuda.synchronize()


def _peak_mb(on_gpu: bool) -> Optional[float]:
    """Return the most memory that Paddle held on the GPU, MB."""
    if not on_gpu:
        return None
    held = float(paddle.device.cuda.max_memory_allocated())
    return round(held / BYTES_PER_MB, 1)


def _torch_time(torch: Any, place: str) -> float:
    """Return the time when PyTorch has done what it was told."""
    if place == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()

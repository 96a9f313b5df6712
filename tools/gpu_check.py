"""Try the networks on your GPU and write one file to send: python tools/gpu_check.py.

Not run on a GPU by the developers, who have none: what it finds is what nobody knows yet. A quarter of an hour or so.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

# A checkout need not be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.command.base import DONE, Command, run_command

CHECKOUT = Path(__file__).resolve().parents[1]
# Parity in float32 is without the GPU's shortened multiplication; read when CUDA starts.
TF32_VARIABLE = "NVIDIA_TF32_OVERRIDE"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: to try this program itself")
    parser.add_argument("--output", default="gpu_check.json", metavar="FILE", help="default: gpu_check.json")
    parser.add_argument("--quick", action="store_true", help="parity and 128x128 only")


def run(arguments: argparse.Namespace) -> int:
    """Run every part, and write after each: what was found is kept if the next one kills the process."""
    os.environ.setdefault(TF32_VARIABLE, "0")
    from paddle_umsft.machine.environment import import_paddle
    from paddle_umsft.machine.files import write_json

    import_paddle()
    import paddle

    from paddle_umsft.methods.networks.runtime import choose_device
    from paddle_umsft.parity import gpu

    device = arguments.device
    paddle.set_device(choose_device(device))
    found: dict[str, Any] = {"machine": gpu.facts()}
    twin = CHECKOUT / "tests" / "parity"
    parts: dict[str, gpu.Part] = {"parity": gpu.parity}
    for side in gpu.SIDES[:1] if arguments.quick else gpu.SIDES:
        parts[f"umsft_{side}"] = lambda side=side: gpu.steps(side, device)
        parts[f"umsft_{side}_amp"] = lambda side=side: gpu.steps(side, device, amp="O1")
        parts[f"pytorch_{side}"] = lambda side=side: gpu.torch_step(twin, side, device)
    scratch = Path(tempfile.mkdtemp())
    if not arguments.quick and (device == "cpu" or paddle.device.cuda.device_count() > 1):
        parts["two_ranks"] = lambda: gpu.two_ranks(CHECKOUT / "tools" / "train.py", scratch, device)
    for name, part in parts.items():
        print(f"{name} ...", flush=True)
        found[name] = gpu.guarded(part)
        print(f"  {found[name]}")
        write_json(Path(arguments.output), found)
    print(f"written    {arguments.output}: please send it with what you saw")
    return DONE


CHECK = Command(
    name="gpu_check",
    summary="Try the networks on this machine's GPU: parity, seconds and memory a step, AMP, two ranks; one JSON file.",
    add_options=add_options,
    run=run,
)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, or 2 (no GPU that Paddle can use)."""
    return run_command(CHECK, argv, "python tools/gpu_check.py")


if __name__ == "__main__":
    sys.exit(main())

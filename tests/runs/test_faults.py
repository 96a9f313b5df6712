"""Faults on demand: a bit flipped in any file of a run folder, a stop at any step. Bit-equal in the end, or refused."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import program
from train_calls import train

from paddle_umsft.config.run import MORE_SECTIONS
from paddle_umsft.data.records import Record
from paddle_umsft.methods.table import METHODS, Method

# The trained method of the tests, which takes no time.
TOY = program("tests/runs/test_toy_method.py")
QUICK = [*TOY.TOY, "output.figures=false", "output.visualdl=false", "output.checkpoint_every=1"]
FLIPS_PER_FILE = 6


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MORE_SECTIONS, "toy", TOY.ToySettings)
    row = Method(fuse=TOY.fuse_toy, settings=lambda config: config.toy, trained=TOY.ToySolver)  # type: ignore[attr-defined]
    monkeypatch.setitem(METHODS, "toy", row)


def run_toy(folder: Path) -> tuple[Path, bytes]:
    assert train("-c", "demo_umsft.yml", "-o", *QUICK, "--output", str(folder)) == 0
    run = folder / "demo_umsft"
    return run, (run / "dead_leaves" / "fused.npy").read_bytes()


@pytest.mark.slow
def test_a_flipped_bit_anywhere_costs_nothing(tmp_path: Path) -> None:
    run, good = run_toy(tmp_path / "whole")
    scene = Path("dead_leaves")
    (run / scene / "metrics.json").unlink()
    (run / scene / "fused.npy").unlink()
    shutil.rmtree(run / scene / "iter_6")
    rng = random.Random(0)
    outcomes: dict[str, list[int]] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run)
        if not path.is_file() or path.stat().st_size == 0:
            continue
        for number in range(FLIPS_PER_FILE):
            copy = tmp_path / f"copy_{number}"
            shutil.copytree(run, copy)
            content = bytearray((copy / name).read_bytes())
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            (copy / name).write_bytes(content)
            code = train("--resume", str(copy))
            assert code in (0, 2, 3), name
            if code == 0:
                assert (copy / scene / "fused.npy").read_bytes() == good, name
            outcomes.setdefault(str(name), []).append(code)
            shutil.rmtree(copy)
    print(outcomes)
    # Damage of a checkpoint never ends a run: there is an older one, or the start.
    for name, codes in outcomes.items():
        if "iter_" in name or "history" in name or "log" in name:
            assert set(codes) == {0}, name


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends itself signals")
def test_a_stop_at_any_step_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, good = run_toy(tmp_path / "whole")
    steps = TOY.ToySolver.run
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        for at in range(1, 9):
            folder = tmp_path / f"{number}_{at}"
            with monkeypatch.context() as patch:
                patch.setattr(TOY.ToySolver, "run", stopping_at(at, number, steps))
                assert train("-c", "demo_umsft.yml", "-o", *QUICK, "--output", str(folder)) == code
            assert train("--resume", str(folder / "demo_umsft")) == 0
            assert (folder / "demo_umsft" / "dead_leaves" / "fused.npy").read_bytes() == good


def stopping_at(at: int, number: int, steps: Any) -> Any:
    """The toy's steps, with a signal to this very process in one of them."""

    def run(self: Any) -> Iterator[Record]:
        for record in steps(self):
            if record["step"] == at:
                os.kill(os.getpid(), number)
            yield record

    return run

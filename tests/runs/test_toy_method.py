"""A trained method that nobody has heard of: its class, its section and its row are in this file, and nothing else is.

It goes through the runner, checkpoints, resuming, the report and VisualDL as the package's own do.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from programs import program
from pydantic import Field
from train_calls import train

from paddle_umsft import read_scene
from paddle_umsft.cameras.psf import TYPES
from paddle_umsft.config.base import Section
from paddle_umsft.config.run import MORE_SECTIONS
from paddle_umsft.data.records import OnRecord, Record
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.table import METHODS, Method
from paddle_umsft.metrics import CONVENTIONS, Convention


class ToySettings(Section):
    """Settings of `method: toy`."""

    iterations: int = Field(default=6, ge=1)
    rate: float = Field(default=0.5, gt=0)

    @property
    def headline(self) -> dict[str, float]:
        return {"iterations": self.iterations, "lr": self.rate}


class ToyStage:
    def __init__(self, name: str, iterations: int, *, is_main: bool) -> None:
        self.name = name
        self.iterations = iterations
        self.is_main = is_main


class ToySolver:
    """Learns the band means first, then pulls every LR pixel's block towards what the LR-HSI says."""

    def __init__(self, observation: Observation, settings: ToySettings, *, seed: int, weights: bool) -> None:
        self.observation = observation
        self.settings = settings
        self.stages = [
            ToyStage("means", 2, is_main=False),
            ToyStage("pull", settings.iterations, is_main=True),
        ]
        self.position = (0, 0)
        self.seconds = 0.0
        start = np.random.default_rng(seed).uniform(size=observation.bands)
        self.fused = np.broadcast_to(start, (*observation.shape, observation.bands)).astype(np.float32).copy()

    def announce(self, *, resumed: bool) -> list[str]:
        return ["toy        resumed" if resumed else "toy        from the start"]

    def run(self) -> Iterator[Record]:
        first, begun = self.position
        for index in range(first, len(self.stages)):
            stage = self.stages[index]
            for iteration in range(begun, stage.iterations):
                seen = self.observation.lr_hsi.repeat(self.observation.scale, 0).repeat(self.observation.scale, 1)
                gap = seen - self.fused
                if not stage.is_main:
                    gap = np.broadcast_to(gap.mean(axis=(0, 1)), gap.shape)
                self.fused = (self.fused + np.float32(self.settings.rate) * gap).astype(np.float32)
                self.position = (index, iteration + 1)
                self.seconds += 0.25
                record: Record = {
                    "step": sum(earlier.iterations for earlier in self.stages[:index]) + iteration + 1,
                    "stage": stage.name,
                    "iteration": iteration + 1,
                    "lr": self.settings.rate,
                    "seconds": self.seconds,
                    "loss": float(np.mean(gap**2)),
                }
                if stage.is_main:
                    record["roughness"] = float(np.std(self.fused))  # a term that no other method has
                yield record
            begun = 0

    def result(self, history: list[Record]) -> FusionResult:
        return FusionResult(self.fused, history=history, method="toy", seconds=self.seconds, notes=("only a toy",))

    def state_dict(self) -> dict[str, Any]:
        return {"model": {"fused": self.fused}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        found = np.asarray(state["model"]["fused"])
        if found.shape != self.fused.shape:
            raise DataError("another scene", expected=self.fused.shape, got=found.shape)
        self.fused = found


def fuse_toy(
    observation: Observation, settings: ToySettings, *, seed: int = 0, on_record: Optional[OnRecord] = None
) -> FusionResult:
    solver = ToySolver(observation, settings, seed=seed, weights=True)
    return solver.result(list(solver.run()))


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MORE_SECTIONS, "toy", ToySettings)
    row = Method(fuse=fuse_toy, settings=lambda config: config.toy, trained=ToySolver)  # type: ignore[attr-defined]
    monkeypatch.setitem(METHODS, "toy", row)


TOY = [
    "method=toy", "data.demo.height=48", "data.demo.width=64", "data.demo.bands=9", "observe.srf=uniform",
    "output.checkpoint_every=2", "evaluate.interval=3", "evaluate.images=0",
]  # fmt: skip


def run_toy(tmp_path: Path, *overrides: str) -> Path:
    assert train("-c", "demo_umsft.yml", "-o", *TOY, *overrides, "--output", str(tmp_path)) == 0
    return tmp_path / "demo_umsft" / "dead_leaves"


def test_a_run_leaves_everything(tmp_path: Path) -> None:
    folder = run_toy(tmp_path)
    fused = np.load(folder / "fused.npy")
    assert fused.shape == (48, 64, 9)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["method"] == "toy"
    assert metrics["extras"]["notes"] == [metrics["verdict"]["line"], "only a toy"]
    assert (folder / "iter_6" / "model.pdparams").is_file()
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "toy" in report
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stage"] for row in rows] == ["means"] * 2 + ["pull"] * 6
    # Columns come from the records: the term of the method's own, and the metrics of the third and the last iteration.
    assert [bool(row["roughness"]) for row in rows] == [False] * 2 + [True] * 6
    assert [bool(row["PSNR"]) for row in rows] == [False] * 4 + [True, False, False, True]


def test_visualdl_shows_the_terms_of_its_loss(tmp_path: Path) -> None:
    visualdl = pytest.importorskip("visualdl")
    folder = run_toy(tmp_path)
    log = visualdl.LogReader(file_path=str(next((folder / "vdl" / "001").glob("*.log"))))
    scalars = set(log.get_tags()["scalar"])
    assert {"WarmUp/means", "Train/loss", "Train/lr", "Train/loss_roughness", "Evaluate/PSNR", "Result/SAM"} <= scalars
    assert "Train/loss_PSNR" not in scalars
    assert len(log.get_data("scalar", "Train/loss_roughness")) == 6


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.load(run_toy(tmp_path / "whole") / "fused.npy")
    steps = ToySolver.run

    def run_out(self: ToySolver) -> Iterator[Record]:
        for record in steps(self):
            yield record
            if record["stage"] == "pull" and record["iteration"] == 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(ToySolver, "run", run_out)
    argv = ["-c", "demo_umsft.yml", "-o", *TOY, "--output", str(tmp_path / "cut")]
    assert train(*argv) == 130
    monkeypatch.setattr(ToySolver, "run", steps)
    assert train("--resume", str(tmp_path / "cut" / "demo_umsft")) == 0
    folder = tmp_path / "cut" / "demo_umsft" / "dead_leaves"
    assert "resumed" in (folder / "log.txt").read_text(encoding="utf-8")
    assert np.array_equal(np.load(folder / "fused.npy"), whole)


def test_its_settings_are_checked_like_all_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["-c", "demo_umsft.yml", "-o", *TOY, "--output", str(tmp_path), "-o"]
    assert train(*argv, "toy.iteratons=3") == 2
    assert "did you mean toy.iterations" in capsys.readouterr().err
    assert train(*argv, "toy.rate=-1") == 2
    assert "toy.rate" in capsys.readouterr().err
    assert train(*argv, "method=tooy") == 2
    assert "did you mean toy?" in capsys.readouterr().err


def test_a_baseline_a_convention_and_a_psf_are_a_row_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is asked for by its name wherever its kind is, and nothing but its table knows it."""

    def fuse_mean(observation: Observation, settings: None, *, seed: int, on_record: Any) -> FusionResult:
        mean = observation.lr_hsi.mean(axis=(0, 1))
        return FusionResult(np.broadcast_to(mean, (*observation.shape, observation.bands)).copy(), method="mean")

    def largest_error(
        reference: np.ndarray, fused: np.ndarray, *, scale: float, valid: Optional[np.ndarray]
    ) -> dict[str, float]:
        return {"PSNR": float(np.abs(reference - fused).max())}

    def no_bands(reference: np.ndarray, fused: np.ndarray, *, valid: Optional[np.ndarray]) -> dict[str, np.ndarray]:
        return {}

    monkeypatch.setitem(METHODS, "mean", Method(fuse=fuse_mean, is_baseline=True))
    monkeypatch.setitem(CONVENTIONS, "strict", Convention(cube=largest_error, bands=no_bands))
    monkeypatch.setitem(TYPES, "pinhole", lambda settings, scale: np.ones((1, 1)))
    asked = ["data.demo.height=48", "data.demo.width=64", "observe.srf=uniform", "observe.psf.type=pinhole"]
    run = ["-c", "demo_umsft.yml", "--output", str(tmp_path), "-o", "method=mean", "evaluate.convention=strict"]
    assert train(*run, *asked, "output.figures=false", "output.visualdl=false") == 0
    folder = tmp_path / "demo_umsft" / "dead_leaves"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["convention"] == "strict"
    truth = read_scene("demo://dead_leaves", demo={"height": 48, "width": 64})
    assert metrics["fused"] == {"PSNR": pytest.approx(np.abs(truth.hr_hsi - np.load(folder / "fused.npy")).max())}
    # One tap of 8 x 8: the fourth row and column, of which it is as near to the middle as whole pixels can be.
    seen = np.load(folder / "fused.npy")[0, 0]
    np.testing.assert_allclose(seen, truth.hr_hsi[3::8, 3::8].mean(axis=(0, 1)), rtol=1e-6)
    capsys.readouterr()

    table = tmp_path / "t.csv"
    compared = ["--baselines", "--presets", "--convention", "all", "--csv", str(table), "-o", *asked]
    assert program("tools/eval.py").main([*compared, "data.path=demo://dead_leaves"]) == 0
    with table.open(encoding="utf-8", newline="") as file:
        rows = [(row["file"], row["convention"]) for row in csv.DictReader(file)]
    assert ("mean", "strict") in rows
    assert len(rows) == 5 * 4

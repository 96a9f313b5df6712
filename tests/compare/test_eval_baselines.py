"""tools/eval.py --baselines: methods run on the same observation."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from eval_calls import DEMO, demo_run, rows_of

from paddle_umsft.compare.side_by_side import candidates
from paddle_umsft.config.load import load_config
from paddle_umsft.data.reading import read_scene
from paddle_umsft.errors import ConfigError
from paddle_umsft.metrics import evaluate


def test_baselines(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "panels"
    arguments = ["--baselines", "--presets", "--output", str(target), "--csv", str(tmp_path / "t.csv"), "-o", *DEMO]
    assert tool.main(arguments) == 0
    rows = {row["file"]: float(row["PSNR"]) for row in rows_of(tmp_path / "t.csv")}
    assert list(rows) == ["bicubic", "gsa", "sfim", "cnmf"]
    assert min(rows[name] for name in ("gsa", "sfim", "cnmf")) > rows["bicubic"]
    assert "dead_leaves: cnmf ..." in capsys.readouterr().err
    saved = np.load(target / "dead_leaves" / "gsa.npy")
    truth = read_scene(load_config(None, DEMO).data).hr_hsi
    assert evaluate(truth, saved, scale=4)["PSNR"] == pytest.approx(rows["gsa"])
    assert (target / "dead_leaves" / "comparison.png").stat().st_size > 10_000


def test_presets_take_the_scene_and_leave_their_own_settings() -> None:
    base = load_config(None, [*DEMO, "seed=7"])
    chosen = dict(candidates(base, ["published"]))
    assert list(chosen) == ["bicubic", "gsa", "sfim", "cnmf", "published"]
    assert chosen["published"].data == base.data
    assert chosen["published"].observe == base.observe
    assert chosen["published"].seed == 7
    assert chosen["published"].method == "umsft"


def test_overrides_reach_the_presets() -> None:
    base = load_config(None, [*DEMO, "solver.iterations=7"])
    chosen = dict(candidates(base, ["fast", "published"], [*DEMO, "solver.iterations=7", "subspace.map_features=64"]))
    assert chosen["published"].solver.iterations == 7
    assert chosen["published"].observe == base.observe
    assert chosen["fast"].subspace.map_features == 64
    assert chosen["fast"].method == "subspace"
    # Half a pair is a whole one only on top of the run's own configuration.
    pair = load_config(None, ["data.lr_hsi=low.npy", "data.hr_msi=other.npy"])
    assert dict(candidates(pair, ["fast"], ["data.hr_msi=other.npy"]))["fast"].data == pair.data
    with pytest.raises(ConfigError, match="--presets"):
        candidates(base, ["fast"], ["method=gsa"])


def test_baselines_run_on_the_scenes_that_are_compared(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        cube = rng.uniform(0.1, 1.0, (16, 24, 6))
        np.save(tmp_path / "scenes" / f"{name}.npy", cube)
        config = load_config(
            None, [f"data.path={tmp_path / 'scenes'}", "data.layout=hwc", "observe.srf=uniform", "observe.scale=4"]
        )
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / "config.yml").write_text(config.to_yaml(), encoding="utf-8")
        np.save(tmp_path / "run" / name / "fused.npy", cube)
    one = [str(tmp_path / "run" / "b"), "--baselines", "--presets", "--csv", str(tmp_path / "t.csv")]
    assert tool.main(one) == 0
    assert {row["scene"] for row in rows_of(tmp_path / "t.csv")} == {"b"}
    demo_run(tmp_path / "seeds", [1, 2])
    assert tool.main([str(tmp_path / "seeds"), *one[1:]]) == 0
    rows = [row for row in rows_of(tmp_path / "t.csv") if row["file"] == "gsa" and row["scene"].startswith("leaves")]
    assert [row["scene"] for row in rows] == ["leaves1", "leaves2"]
    assert rows[0]["PSNR"] != rows[1]["PSNR"]

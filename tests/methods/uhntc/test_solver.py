"""uHNTC on made-up scenes: it learns, phase after phase, takes any size, resumes bit for bit, and says what is off."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from made_up_cases import make_case

from paddle_umsft.config.load import load_config
from paddle_umsft.config.uhntc import UhntcSettings
from paddle_umsft.data.scene import FusionResult
from paddle_umsft.errors import ConfigError, ConversionError, DataError
from paddle_umsft.methods.table import run_method, start_trained
from paddle_umsft.methods.uhntc.solver import fusion_phases
from paddle_umsft.weights.shapes import vgg19_shapes

SMALL = ["uhntc.warm_up.iterations=3", "uhntc.warm_up.joint_iterations=4", "uhntc.iterations=6", "method=uhntc"]
OFF = "no perceptual term"


def vgg19_file(path: Path, change: dict[str, Any] | None = None) -> Path:
    random = np.random.default_rng(1)
    weights = {
        name: (random.standard_normal(shape) * np.prod(shape[1:]) ** -0.5).astype(np.float32)
        for name, shape in vgg19_shapes().items()
    }
    path.write_bytes(pickle.dumps({**weights, **(change or {})}, protocol=2))
    return path


@pytest.mark.parametrize(
    ("height", "width", "bands", "observe"),
    [
        (64, 72, 31, {"scale": 4}),
        (45, 60, 5, {"scale": 5, "msi_bands": 2}),  # 45: no multiple of 4
        (64, 96, 1, {"scale": 32, "msi_bands": 1}),
        (40, 40, 128, {"scale": 8, "msi_bands": 4, "srf": "uniform"}),
    ],
)
def test_any_size(height: int, width: int, bands: int, observe: dict[str, Any]) -> None:
    case = make_case(height, width, bands, **observe)
    records: list[dict[str, Any]] = []
    result = run_method(case.observation, load_config("uhntc.yml", SMALL), records.append)
    assert isinstance(result, FusionResult)
    assert result.method == "uhntc"
    assert result.fused.shape == (height, width, bands)
    assert np.isfinite(result.fused).all()
    assert result.fused.min() >= 0  # what leaves the last hourglass went through a sigmoid
    assert result.fused.max() <= 1
    assert [record["stage"] for record in records].count("degradation") == 4
    assert [record["stage"] for record in records if "hsi" in record] == ["fuse"] + ["joint"] * 2 + ["refine"] * 3


def test_it_learns() -> None:
    case = make_case(64, 64, 8)
    solver = start_trained(case.observation, load_config("uhntc.yml", [*SMALL, "uhntc.iterations=30"]))
    losses = [record["hsi"] + record["msi"] for record in solver.run() if "hsi" in record]
    assert losses[-1] < 0.7 * losses[0]


def test_the_published_schedule_is_what_the_file_says() -> None:
    assert load_config("uhntc.yml").uhntc == UhntcSettings()
    phases = fusion_phases(UhntcSettings())
    assert [phase.iterations for phase in phases] == [1333, 2667, 4000]
    assert [phase.iterations for phase in fusion_phases(UhntcSettings(iterations=100))] == [17, 33, 50]


def test_degradations_stand_still_in_the_first_phase() -> None:
    case = make_case(64, 64, 8)
    solver = start_trained(case.observation, load_config("uhntc.yml", [*SMALL, "uhntc.iterations=12"]))
    tables: dict[str, list[np.ndarray]] = {"fuse": [], "joint": [], "refine": []}
    for record in solver.run():
        if record["stage"] in tables:
            tables[record["stage"]].append(solver.model.spectral.effective_srf())
    assert all(np.array_equal(tables["fuse"][0], table) for table in tables["fuse"])
    for phase in ("joint", "refine"):
        assert not np.array_equal(tables[phase][0], tables[phase][-1])


def test_resumed_run_is_the_same_to_the_last_bit() -> None:
    case = make_case(64, 72, 8)
    config = load_config("uhntc.yml", SMALL)
    whole = start_trained(case.observation, config)
    wanted = whole.result(list(whole.run())).fused

    first = start_trained(case.observation, config)
    for record in first.run():
        if record["stage"] == "joint":
            break
    state = pickle.loads(pickle.dumps(_arrays(first.state_dict())))
    second = start_trained(case.observation, config, weights=False)
    second.load_state_dict(_tensors(state))
    second.position = first.position
    assert np.array_equal(second.result(list(second.run())).fused, wanted)


def _arrays(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _arrays(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_arrays(value) for value in tree]
    return tree.numpy() if isinstance(tree, paddle.Tensor) else tree


def _tensors(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _tensors(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_tensors(value) for value in tree]
    return paddle.to_tensor(tree) if isinstance(tree, np.ndarray) else tree


def test_perceptual_term_is_off_without_a_file_and_says_so(tmp_path: Path) -> None:
    case, two = make_case(64, 64, 8), make_case(64, 64, 8, msi_bands=2)
    path = vgg19_file(tmp_path / "vgg19.pdparams")
    given = [*SMALL, f"uhntc.perceptual_weights={path}"]
    for one, overrides, notes in (
        (case, SMALL, (f"{OFF}: it needs VGG19's weights (uhntc.perceptual_weights)",)),
        (two, given, (f"{OFF}: VGG19 sees 3 bands, and the MSI has 2",)),
        (case, given, ()),
    ):
        solver = start_trained(one.observation, load_config("uhntc.yml", overrides))
        records = [record for record in solver.run() if "hsi" in record]
        # So short a warm-up can leave responses closed, and then there are notes on them as well.
        assert tuple(note for note in solver.result(records).notes if note.startswith(OFF)) == notes
        assert all(("perceptual" in record) == (notes == ()) for record in records)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.17.weight": np.zeros(3, np.float32)}, "not VGG19's weights"),
        ({"features.7.bias": np.zeros(3, np.float32)}, r"features\.7\.bias \(3,\) instead of \(128,\)"),
    ],
)
def test_perceptual_weights_that_do_not_fit(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = vgg19_file(tmp_path / "vgg19.pdparams", change)
    config = load_config("uhntc.yml", [*SMALL, f"uhntc.perceptual_weights={path}"])
    with pytest.raises(ConversionError, match=message):
        start_trained(make_case(64, 64, 8).observation, config)


def test_without_a_step_the_network_is_applied_as_it_stands() -> None:
    case = make_case(64, 64, 8)
    config = load_config("uhntc.yml", [*SMALL, "uhntc.iterations=0"])
    solver = start_trained(case.observation, config)
    assert list(solver.run()) == []
    assert solver.result([]).fused.shape == (64, 64, 8)


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="image too small"):
        start_trained(make_case(32, 64, 8).observation, load_config("uhntc.yml", SMALL))
    bad = "[{name: a, iterations: 1, weights: {hsi: 1}, moves: [psf]}]"
    with pytest.raises(ConfigError, match="must have network among them"):
        load_config("uhntc.yml", [f"uhntc.phases={bad}"])
    with pytest.raises(ConfigError, match="weights"):
        load_config("uhntc.yml", ["uhntc.phases=[{name: a, iterations: 1, weights: {l2: 1}, moves: [network]}]"])

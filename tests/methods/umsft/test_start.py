"""Starting from given weights: what is in the file starts there, the rest as drawn, and a misfit changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from train_calls import one_line_error, run_demo, train

from paddle_umsft.config.load import load_config
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.errors import ConversionError, DataError
from paddle_umsft.methods.networks.model import ModelSizes
from paddle_umsft.methods.table import start_trained
from paddle_umsft.methods.umsft.model import FusionModel, build_model
from paddle_umsft.runs.scene import make_case
from paddle_umsft.weights import convert_file
from paddle_umsft.weights.formats.writers import save

SIZES: dict[str, Any] = {"bands": 9, "msi_bands": 3, "scale": 8, "supports": ((0, 3), (3, 6), (6, 9))}
SMALL = ["network.width=6", "network.skip=2"]


def model(seed: int, *overrides: str, **sizes: Any) -> FusionModel:
    paddle.seed(seed)
    network = load_config(overrides=[*SMALL, *overrides]).network
    return build_model(ModelSizes(**{**SIZES, **sizes}), network)


def arrays(layer: paddle.nn.Layer) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}


def saved(tmp_path: Path, source: FusionModel, *parts: str) -> Path:
    state = {name: t for name, t in source.state_dict().items() if not parts or name.split(".")[0] in parts}
    paddle.save(state, str(tmp_path / "model.pdparams"))
    return tmp_path / "model.pdparams"


def test_a_whole_model_starts_where_the_other_is(tmp_path: Path) -> None:
    source = model(1)
    with paddle.no_grad():
        source.spatial.kernel.set_value(source.spatial.kernel * 2)
    started = model(2, f"network.weights={saved(tmp_path, source)}")
    assert started.started == ("network", "spatial", "spectral")
    wanted = arrays(source)
    for name, array in arrays(started).items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


@pytest.mark.parametrize(("parts", "started"), [(["network", "spectral"], 2), (["spectral"], 1), (["spatial"], 1)])
def test_what_is_not_in_the_file_starts_as_drawn(tmp_path: Path, parts: list[str], started: int) -> None:
    source, drawn = model(1), model(2)
    published = tmp_path / "published.pth"
    convert_file(saved(tmp_path, source, *parts), published)
    found = model(2, f"network.weights={published}")
    assert len(found.started) == started
    for name, array in arrays(found).items():
        origin = source if name.split(".")[0] in parts else drawn
        np.testing.assert_array_equal(array, arrays(origin)[name], err_msg=name)


def srf_file(tmp_path: Path, rows: list[list[float]]) -> Path:
    """An SRF net alone, by its published names: Gaussians of three bands, and per MSI band three taps and a bias."""
    side, middle = np.exp([-1 / 8, 0]) / (1 + 2 * np.exp(-1 / 8))  # offsets -1, 0, 1 of a Gaussian with sigma 2
    net = {f"srf_list.{band}": np.array([side, middle, side]) for band in range(len(rows))}
    net.update({f"conv_lst.{band}.weight": np.array(row[:3])[None, None] for band, row in enumerate(rows)})
    net.update({f"conv_lst.{band}.bias": np.array(row[3:]) for band, row in enumerate(rows)})
    save(tmp_path / "srf.pth", {name: (array, "float64") for name, array in net.items()}, {})
    return tmp_path / "srf.pth"


def test_an_srf_alone_sees_what_its_taps_and_relu_make_of_the_gaussians(tmp_path: Path) -> None:
    rows = [[0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.1], [0.0, 0.0, -1.0, 0.3]]
    told, drawn = model(2, f"network.weights={srf_file(tmp_path, rows)}"), model(2)
    assert not np.allclose(told.spectral.effective_srf(), drawn.spectral.effective_srf())
    for (name, one), other in zip(told.named_parameters(), drawn.parameters()):
        if "spectral" not in name and "responses" not in name:
            np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=name)
    side, middle = np.exp([-1 / 8, 0]) / (1 + 2 * np.exp(-1 / 8))
    expected = np.zeros((3, 9))
    expected[0, :3] = side, middle, side
    expected[1, 3:6] = 0.1, 0.1 + side / 2, 0.1 + middle / 2
    expected[2, 6:] = np.maximum([0.3 - middle, 0.3 - side, 0.3], 0)
    np.testing.assert_allclose(told.spectral.effective_srf(), expected, atol=1e-6)
    with pytest.raises(DataError, match=r"spectral\.responses\.2\.start missing"):
        model(2, f"network.weights={srf_file(tmp_path, rows[:2])}")


def test_what_is_known_stays_as_it_is(tmp_path: Path) -> None:
    srf = np.random.RandomState(0).uniform(size=(3, 9))
    path = saved(tmp_path, model(1))
    found = model(2, f"network.weights={path}", srf=srf)
    assert found.started == ("network", "spatial")
    np.testing.assert_allclose(found.spectral.effective_srf(), srf, atol=1e-7)
    # A run that knew the SRF saves none that could be started from: the network alone comes back.
    again = model(3, f"network.weights={saved(tmp_path, found)}")
    assert again.started == ("network", "spatial")
    np.testing.assert_array_equal(arrays(again.network)["levels.1.attention.query.weight"],
                                  arrays(found.network)["levels.1.attention.query.weight"])  # fmt: skip


def test_one_step_shows_the_loaded_weights_untouched(tmp_path: Path) -> None:
    """P10: the result is taken before the last update, so it is the plain forward pass of what was loaded."""
    run = run_demo(tmp_path)
    weights = run / "iter_6" / "model.pdparams"
    still = ["warm_up.iterations=0", "solver.iterations=1", f"network.weights={weights}"]
    shown = run_demo(tmp_path / "still", *still)
    config = load_config(shown / "config.yml")
    solver = start_trained(make_case(list_scenes(config.data)[0], config).observation, config)
    trained = paddle.load(str(weights))
    solver.model.set_state_dict({name: paddle.zeros_like(tensor) for name, tensor in trained.items()})
    solver.model.set_state_dict(trained)
    with paddle.no_grad():
        expected = solver.model.network(solver.fusion.inputs, solver.model.spectral).numpy()[0].transpose(1, 2, 0)
    np.testing.assert_allclose(np.load(shown / "fused.npy"), expected, atol=2e-5)


def test_a_resumed_run_needs_its_weights_no_more(tmp_path: Path) -> None:
    sizes = {"bands": 31, "supports": ((20, 31), (10, 23), (0, 12))}
    weights = saved(tmp_path, model(1, **sizes))
    run = run_demo(tmp_path, f"network.weights={weights}")
    fused = np.load(run / "fused.npy")
    (run / "metrics.json").unlink()
    shutil.rmtree(run / "iter_6")
    weights.unlink()
    assert train("--resume", str(run.parent)) == 0
    np.testing.assert_array_equal(np.load(run / "fused.npy"), fused)
    assert f"{weights}: network, spatial, spectral" in (run / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ({"bands": 12}, r"instead of"),
        ({"scale": 4}, r"spatial\.kernel \(1, 1, 9, 9\) instead of \(1, 1, 5, 5\)"),
        ({"supports": ((0, 4), (3, 6), (6, 9))}, r"spectral\.responses\.0\.start \(1, 1, 3\) instead of \(1, 1, 4\)"),
    ],
)
def test_weights_of_another_scene_are_refused(tmp_path: Path, sizes: dict[str, Any], problem: str) -> None:
    path = saved(tmp_path, model(1))
    with pytest.raises(DataError, match=problem) as caught:
        model(2, f"network.weights={path}", **sizes)
    assert "weights of another network or scene" in str(caught.value)
    target = model(2, **sizes)
    before = arrays(target)
    with pytest.raises(DataError):
        target.start_from(path)
    assert all(np.array_equal(array, before[name]) for name, array in arrays(target).items())


def test_files_that_are_no_start(tmp_path: Path) -> None:
    vgg = {f"features.0.{leaf}": (np.zeros(shape), "float64") for leaf, shape in
           (("weight", (64, 3, 3, 3)), ("bias", (64,)))}  # fmt: skip
    save(tmp_path / "vgg.pth", vgg, {})
    with pytest.raises(ConversionError, match=r"network\.vgg_weights"):
        model(1, f"network.weights={tmp_path / 'vgg.pth'}")
    state = {name: tensor for name, tensor in model(1).state_dict().items() if "query" not in name}
    paddle.save(state, str(tmp_path / "cut.pdparams"))
    with pytest.raises(ConversionError, match=r"missing: network\.levels\.0\.attention\.query\.weight, net"):
        model(1, f"network.weights={tmp_path / 'cut.pdparams'}")
    with pytest.raises(DataError, match="nothing to start from"):
        model(1, f"network.weights={saved(tmp_path, model(1), 'spectral')}", srf=np.ones((3, 9)))


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = train("-c", "demo_umsft.yml", "-o", "network.weights=nowhere.pth", "--output", str(tmp_path))
    assert code == 3
    assert "nowhere.pth: no such file" in one_line_error(capsys)

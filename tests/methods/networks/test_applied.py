"""Given weights applied without training: the plain forward pass of the model that they came from, to the last bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from made_up_cases import make_case
from train_calls import run_demo, train

from paddle_umsft import fuse, load_config
from paddle_umsft.data.scene import Case
from paddle_umsft.errors import ConfigError, DataError, UmsftError
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes
from paddle_umsft.methods.networks.solver import make_images
from paddle_umsft.methods.table import METHODS
from paddle_umsft.methods.uhntc.model import build_uhntc
from paddle_umsft.methods.uhntc.network import UHNTC
from paddle_umsft.methods.umsft.model import build_model
from paddle_umsft.methods.umsft.network import UMSFT
from paddle_umsft.weights import convert_file
from paddle_umsft.weights.declared import query_start

SMALL = {"umsft": ["network.width=6", "network.skip=2"], "uhntc": []}
SIZE = {"umsft": (128, 136), "uhntc": (48, 56)}
NAMES = sorted(SIZE)
# Networks as they are drawn have nothing to do with the pair, and `fuse` says so.
DISTRUSTED = "do not trust this: blurred again, the result gives back only"


def case_for(method: str) -> Case:
    return make_case(*SIZE[method], 7)


def learned(method: str, case: Case, *, declared_query: bool = True) -> FusionModel:
    """A model whose tensors are no start of anything: drawn, and shaken afterwards."""
    seen = case.observation
    sizes = ModelSizes(bands=7, msi_bands=3, scale=seen.scale, supports=seen.supports)
    paddle.seed(5)
    if method == "umsft":
        model = build_model(sizes, load_config(overrides=SMALL[method]).network)
    else:
        model = build_uhntc(sizes)
    random = np.random.default_rng(0)
    for parameter in model.parameters():
        if not parameter.stop_gradient:
            noise = 0.01 * random.standard_normal(parameter.shape).astype(np.float32)
            parameter.set_value(parameter.numpy() + noise)
    if method == "uhntc" and declared_query:
        for name, array in query_start(7).items():
            getattr(model.network.encoder.query, name.rpartition(".")[2]).set_value(array)
    for band in model.spectral.responses:
        band.bias.set_value(np.full(band.bias.shape, 0.5, np.float32))  # no response is zero everywhere
    model.train()
    return model


def forward(method: str, model: FusionModel, case: Case) -> np.ndarray:
    images = make_images(case.observation, 3)
    with paddle.no_grad():
        if method == "umsft":
            fused = model.network(UMSFT.prepare(images.lr_hsi, images.hr_msi), model.spectral)
        else:
            fused = model.network(UHNTC.prepare(images.lr_hsi, images.hr_msi))
    return np.asarray(fused.numpy()[0].transpose(1, 2, 0))  # (H, W, C)


def saved(model: FusionModel, path: Path) -> Path:
    paddle.save(model.state_dict(), str(path))
    return path


@pytest.mark.parametrize("method", NAMES)
def test_a_checkpoint_of_the_published_form_gives_our_own_forward_pass(method: str, tmp_path: Path) -> None:
    case = case_for(method)
    model = learned(method, case)
    ours = saved(model, tmp_path / "model.pdparams")
    convert_file(ours, tmp_path / "published.pth")
    before = case.observation.lr_hsi.copy()
    with pytest.warns(UserWarning, match=DISTRUSTED):
        result = fuse(case, method=method, weights=tmp_path / "published.pth", iterations=0, overrides=SMALL[method])
    np.testing.assert_array_equal(result.fused, forward(method, model, case))
    assert result.history == []
    assert result.method == method
    np.testing.assert_array_equal(case.observation.lr_hsi, before)
    notes = result.notes[1:]
    assert "published.pth has no" in notes[0]
    assert tuple(note for note in notes if "no PSF" in note) == notes[:1]
    assert ("no SRF" in notes[0]) == (method == "uhntc")  # there it is no part of the network
    assert any("query convolution (P12)" in note for note in notes) == (method == "uhntc")


@pytest.mark.parametrize("method", NAMES)
def test_what_a_run_saved_comes_back_whole(method: str, tmp_path: Path) -> None:
    """Network, PSF and SRF, and nothing to note; an absolute path with a blank and a sign in it."""
    case = case_for(method)
    model = learned(method, case, declared_query=False)
    folder = tmp_path / "a #1"
    folder.mkdir()
    path = saved(model, folder / "model.pdparams")
    with pytest.warns(UserWarning, match=DISTRUSTED):
        result = fuse(case, config=load_config(None, [*SMALL[method], f"method={method}"]), weights=path, iterations=0)
    np.testing.assert_array_equal(result.fused, forward(method, model, case))
    np.testing.assert_array_equal(result.psf, model.spatial.effective_psf())
    np.testing.assert_array_equal(result.srf, model.spectral.effective_srf())
    assert result.verdict is not None
    assert result.notes == (result.verdict.line,)


def test_without_weights_it_says_that_the_result_is_random() -> None:
    with pytest.warns(UserWarning, match=DISTRUSTED):
        result = fuse(case_for("uhntc"), method="uhntc", iterations=0)
    assert any("nothing was trained and there are no weights of the network" in note for note in result.notes)


def test_iterations_and_weights_reach_training_too(tmp_path: Path) -> None:
    case = case_for("uhntc")
    path = saved(learned("uhntc", case), tmp_path / "model.pdparams")
    quickly = ["uhntc.warm_up.iterations=1", "uhntc.warm_up.joint_iterations=1"]
    with pytest.warns(UserWarning, match=DISTRUSTED):
        result = fuse(case, method="uhntc", weights=path, iterations=3, overrides=quickly)
    assert any("no perceptual term" in note for note in result.notes)
    assert [record["stage"] for record in result.history][:3] == ["srf", "psf", "degradation"]
    assert len(result.history) == 3 + 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "subspace", "weights": "a.pth"}, ConfigError, "weights: the method has none"),
        ({"method": "gsa", "iterations": 0}, ConfigError, "iterations: the method has none, .* umsft, uhntc, got gsa"),
        ({"method": "uhntc", "iterations": -1}, ConfigError, "iterations: .* got -1"),
        ({"method": "uhntc", "iterations": "ten"}, ConfigError, "iterations: .* got 'ten'"),
        ({"method": "uhntc", "weights": "nowhere.pth", "iterations": 0}, DataError, "nowhere.pth: no such file"),
        ({"method": "uhtnc", "weights": "a.pth"}, ConfigError, "did you mean uhntc"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], error: type[UmsftError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        fuse(case_for("uhntc"), **arguments)
    assert "\n" not in str(caught.value)


def test_weights_of_the_other_network_are_refused(tmp_path: Path) -> None:
    case = case_for("uhntc")
    path = saved(learned("uhntc", case), tmp_path / "model.pdparams")
    with pytest.raises(DataError, match="weights of another network or scene"):
        fuse(case_for("umsft"), method="umsft", weights=path, iterations=0, overrides=SMALL["umsft"])


def test_every_trained_method_says_which_settings_these_are() -> None:
    for name, method in METHODS.items():
        for key in (method.weights_key, method.iterations_key):
            assert (key is None) == (method.trained is None), name
            if key is not None:
                section, _, setting = key.partition(".")
                assert hasattr(getattr(load_config(), section), setting)


def test_the_runner_applies_weights_too(tmp_path: Path) -> None:
    """No step, no history, and everything else that a run leaves; asked once more, it is finished."""
    run = run_demo(tmp_path / "trained")
    weights = run / "iter_6" / "model.pdparams"
    shown = run_demo(tmp_path / "shown", "solver.iterations=0", f"network.weights={weights}", "output.figures=true")
    fused = np.load(shown / "fused.npy")
    metrics = json.loads((shown / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["fused"]["PSNR"] > 0
    assert metrics["seconds"] > 0
    assert not [note for note in metrics["extras"]["notes"] if "nothing was trained" in note]
    assert (shown / "history.csv").read_text(encoding="utf-8").count("\n") == 1
    assert not list(shown.glob("iter_*"))
    assert "solver" in (shown / "report.html").read_text(encoding="utf-8")
    assert "steps      fuse 0; seed 1" in (shown / "log.txt").read_text(encoding="utf-8")
    config = load_config(shown / "config.yml")
    assert config.solver.iterations == 0
    before = (shown / "metrics.json").stat().st_mtime_ns
    assert train("--resume", str(shown.parent)) == 0
    assert (shown / "metrics.json").stat().st_mtime_ns == before
    (shown / "metrics.json").unlink()
    shutil.rmtree(shown / "vdl", ignore_errors=True)
    assert train("--resume", str(shown.parent)) == 0
    np.testing.assert_array_equal(np.load(shown / "fused.npy"), fused)

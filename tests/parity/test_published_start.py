"""The start that PyTorch draws under a seed: whole, repeatable, in the published order, and taken by the port."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the published start is drawn by torch (an extra)")

import published_start  # noqa: E402

from paddle_umsft.config.load import load_config  # noqa: E402
from paddle_umsft.methods.networks.model import ModelSizes  # noqa: E402
from paddle_umsft.methods.umsft.model import build_model  # noqa: E402
from paddle_umsft.parity.reference import read_golden  # noqa: E402
from paddle_umsft.weights import shapes  # noqa: E402

SIZES = {"bands": 31, "msi_bands": 3, "scale": 8, "supports": published_start.CAVE}


@pytest.fixture(scope="module")
def vgg() -> dict[str, np.ndarray]:
    random = np.random.RandomState(0)
    wanted = {n: s for n, s in shapes.vgg_shapes(blocks=3).items() if not n.endswith("tracked")}
    return {name: random.uniform(size=shape).astype(np.float32) for name, shape in wanted.items()}


@pytest.fixture(scope="module")
def start(vgg: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    net, psf = published_start.published_start(1, 8, 31, published_start.CAVE, vgg)
    return published_start.parts(net, psf)


def test_it_is_the_published_state_dict(start: dict[str, torch.Tensor]) -> None:
    published = next(case.shapes for case in read_golden().cases if "attention.fc.weight" in case.shapes
                     and tuple(case.shapes["FeatureMerge1.2.bias"]) == (31,))  # fmt: skip
    found = {name: tuple(tensor.shape) for name, tensor in start.items()}
    psf = dict.fromkeys(("net.down.weight", "net.spadown.weight"), (1, 1, 9, 9))
    assert list(found) == [*published, *psf]  # the order too: it decides what is drawn for which layer
    assert found == {**{name: tuple(shape) for name, shape in published.items()}, **psf}


def test_the_encoders_hold_the_given_weights(start: dict[str, torch.Tensor], vgg: dict[str, np.ndarray]) -> None:
    for name, array in vgg.items():
        for encoder in ("HSIFE", "MSIFE"):
            found = start[name.replace("features", f"{encoder}.extractor")].numpy()
            own = encoder == "HSIFE" and name.startswith("features.0.")  # 31 bands: a first layer of its own
            assert own != (found.shape == array.shape and np.array_equal(found, array)), name


def test_the_seed_decides(start: dict[str, torch.Tensor]) -> None:
    # Drawn by torch 2.13 under seed 1: 81 numbers for the PSF's kernel, then three taps and a bias per MSI band.
    taps = [[-0.43561596, 0.03511120, -0.09838463], [-0.33436412, -0.51325393, 0.42017749]]
    found = [start[f"rm.srf.conv_lst.{band}.weight"].flatten().tolist() for band in (0, 1)]
    np.testing.assert_allclose(found, taps, atol=1e-7)
    np.testing.assert_allclose(start["rm.srf.conv_lst.2.bias"].item(), 0.11598868, atol=1e-7)
    for seed, first in ((1, True), (2, False)):
        net, psf = published_start.published_start(seed, 8, 31, published_start.CAVE, {}, srf_first=first)
        other = published_start.parts(net, psf, "srf")
        assert not torch.equal(other["conv_lst.0.weight"], start["rm.srf.conv_lst.0.weight"])


def test_the_port_starts_there(tmp_path: Path, start: dict[str, torch.Tensor]) -> None:
    torch.save(start, tmp_path / "start.pth")
    settings = load_config(overrides=[f"network.weights={tmp_path / 'start.pth'}"])
    model = build_model(ModelSizes(**SIZES), network=settings.network)
    assert model.started == ("network", "spatial", "spectral")
    found = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    np.testing.assert_array_equal(found["network.levels.2.attention.out.weight"], start["attention3.fc.weight"].T)
    np.testing.assert_array_equal(found["spatial.kernel"], start["net.down.weight"])

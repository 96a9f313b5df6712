"""VGG16-BN start weights from every kind of file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import weight_files as wf

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import convert_file, load_vgg19_features, load_vgg_features, shapes
from paddle_umsft.weights.vgg_stacks import VGG16_BN, VGG19, vgg19_convolutions


def vgg(classifier: bool = True) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    wanted = {n: s for n, s in shapes.vgg_shapes(blocks=3).items() if not n.endswith("tracked")}
    made = {name: random.random(shape, np.float32) for name, shape in wanted.items()}
    if classifier:
        made["classifier.0.weight"] = np.zeros((3, 4), np.float32)
        made["classifier.0.bias"] = np.zeros(3, np.float32)
    return made


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Write every kind that `network.vgg_weights` takes."""
    obj, storages = wf.state_dict(arrays)
    if path.suffix == ".safetensors":
        path.write_bytes(wf.safetensors_of(arrays))
    elif path.suffix == ".pdparams":
        back = {n.replace("running_mean", "_mean").replace("running_var", "_variance"): a for n, a in arrays.items()}
        path.write_bytes(pickle.dumps(back, 2))
    elif path.name.startswith("old"):
        path.write_bytes(wf.legacy_bytes(obj, storages))
    else:
        path.write_bytes(wf.zip_bytes(obj, storages))
    return path


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "a.pdparams", "a.safetensors"])
def test_every_kind_of_file(name: str, tmp_path: Path) -> None:
    arrays = vgg()
    found = load_vgg_features(write(tmp_path / name, arrays))
    assert set(found) == {key for key in arrays if key.startswith("features.")}
    for key, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, arrays[key])


def test_layers_are_where_torchvision_has_them() -> None:
    """The numbers are those of the published files: `vgg16_bn-6c64b313.pth` and `vgg19-dcbb9e9d.pth`."""
    found = [(layer.index, layer.channels_in, layer.channels_out) for layer in VGG16_BN.convolutions()]
    assert found == [
        (0, 3, 64), (3, 64, 64), (7, 64, 128), (10, 128, 128), (14, 128, 256), (17, 256, 256), (20, 256, 256),
        (24, 256, 512), (27, 512, 512), (30, 512, 512), (34, 512, 512), (37, 512, 512), (40, 512, 512),
    ]  # fmt: skip
    assert [layer.index for layer in VGG16_BN.convolutions() if layer.pooled] == [3, 10, 20, 30, 40]
    indices = [layer.index for layer in VGG19.convolutions()]
    assert indices == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    found = [(layer.index, layer.channels_in, layer.channels_out) for layer in vgg19_convolutions()]
    assert found == [
        (0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
    ]  # fmt: skip


def test_layers_are_those_that_the_encoders_use() -> None:
    """The encoders' own layers, named `conv0`, `norm1` and so on, against the weights that are asked for."""
    pytest.importorskip("paddle")
    from paddle_umsft.methods.networks.vgg import VggFeatures

    state = VggFeatures(bands=3).state_dict()
    shapes_there = {
        f"features.{name[4:]}".replace("_mean", "running_mean").replace("_variance", "running_var"): tuple(tensor.shape)
        for name, tensor in state.items()
    }
    assert shapes_there == {name: array.shape for name, array in vgg(classifier=False).items()}


def test_everything_missing_is_listed(tmp_path: Path) -> None:
    arrays = vgg()
    del arrays["features.0.weight"], arrays["features.21.running_var"]
    arrays["features.3.bias"] = np.zeros(65, np.float32)
    arrays["features.7.bias"] = np.zeros(128, np.int64)
    with pytest.raises(ConversionError) as caught:
        load_vgg_features(write(tmp_path / "a.pdparams", arrays))
    for part in (
        "features.0.weight missing",
        "features.21.running_var missing",
        "features.3.bias (65,) instead of (64,)",
    ):
        assert part in str(caught.value)
    assert "features.7.bias is int64" in str(caught.value)


def test_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(wf.safetensors_of({"kernel": np.zeros((1, 1, 3, 3))}))
    with pytest.raises(ConversionError, match="no VGG16-BN"):
        load_vgg_features(tmp_path / "a.safetensors")


def vgg19() -> dict[str, np.ndarray]:
    """The layers 0 to 14, and one behind them, as a file of torchvision has it."""
    random = np.random.default_rng(1)
    made = {name: random.random(shape, np.float32) for name, shape in shapes.vgg19_shapes().items()}
    made["features.16.bias"] = np.zeros(256, np.float32)
    return made


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "a.pdparams", "a.safetensors"])
def test_vgg19(name: str, tmp_path: Path) -> None:
    arrays = vgg19()
    found = load_vgg19_features(write(tmp_path / name, arrays))
    assert sorted(found) == sorted(set(arrays) - {"features.16.bias"})
    assert all(np.array_equal(array, arrays[key]) for key, array in found.items())


@pytest.mark.parametrize(
    ("load", "layer", "message"),
    [
        (load_vgg19_features, 17, "not VGG19's weights"),  # VGG16, where VGG19 has a ReLU
        (load_vgg19_features, 1, "not VGG19's weights"),  # any with batch normalisation
        (load_vgg_features, 2, "not VGG16-BN's weights"),  # any without
        (load_vgg_features, 23, "not VGG16-BN's weights"),  # VGG19 with batch normalisation
    ],
)
def test_another_vgg_is_told_by_its_layers(
    load: Callable[[Path], dict[str, np.ndarray]], layer: int, message: str, tmp_path: Path
) -> None:
    """Up to the third block the networks have the same layers, and a wrong one would start from foreign weights."""
    arrays = vgg19() if load is load_vgg19_features else vgg()
    arrays[f"features.{layer}.weight"] = np.zeros(3, np.float32)
    with pytest.raises(ConversionError, match=message):
        load(write(tmp_path / "a.pth", arrays))


def test_half_precision_is_widened(tmp_path: Path) -> None:
    arrays = {name: array.astype(np.float16) for name, array in vgg().items()}
    found = load_vgg_features(write(tmp_path / "a.safetensors", arrays))
    assert all(np.array_equal(array, arrays[name].astype(np.float32)) for name, array in found.items())


def test_conversion_drops_the_classifier_and_says_so(tmp_path: Path) -> None:
    report = convert_file(write(tmp_path / "a.pth", vgg()), tmp_path / "b.pdparams")
    assert report.recognised.startswith("VGG16-BN")
    assert report.names("dropped") == ["classifier.0.weight", "classifier.0.bias"]
    assert set(load_vgg_features(tmp_path / "b.pdparams")) == set(vgg(classifier=False))
    convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    assert {n: a.tobytes() for n, a in load_vgg_features(tmp_path / "c.pth").items()} == {
        n: a.tobytes() for n, a in vgg(classifier=False).items()
    }


def test_files_of_paddle_vision(tmp_path: Path) -> None:
    """paddle.vision's VGG16 with batch normalisation names its layers as the converter does."""
    paddle = pytest.importorskip("paddle")
    network = paddle.vision.models.vgg16(batch_norm=True, num_classes=2).features
    state = {f"features.{name}": tensor for name, tensor in network.state_dict().items()}
    paddle.save(state, str(tmp_path / "a.pdparams"))
    found = load_vgg_features(tmp_path / "a.pdparams")
    np.testing.assert_array_equal(found["features.20.weight"], state["features.20.weight"].numpy())
    np.testing.assert_array_equal(found["features.1.running_var"], state["features.1._variance"].numpy())

"""VGG16-BN start weights from every kind of file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import weight_files as wf

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import convert_file, load_vgg_features, shapes
from paddle_umsft.weights.formats.writers import save


def vgg(classifier: bool = True) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    wanted = {n: s for n, s in shapes.vgg_shapes(dead=False).items() if not n.endswith("tracked")}
    made = {name: random.random(shape, np.float32) for name, shape in wanted.items()}
    if classifier:
        made["classifier.0.weight"] = np.zeros((3, 4), np.float32)
        made["classifier.0.bias"] = np.zeros(3, np.float32)
    return made


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Writes every kind that ``network.vgg_weights`` takes."""
    obj, storages = wf.state_dict(arrays)
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
    elif path.suffix == ".safetensors":
        save(path, {name: (array, "float32") for name, array in arrays.items()}, {})
    elif path.suffix == ".pdparams":
        back = {n.replace("running_mean", "_mean").replace("running_var", "_variance"): a for n, a in arrays.items()}
        path.write_bytes(pickle.dumps(back, 2))
    elif path.name.startswith("old"):
        path.write_bytes(wf.legacy_bytes(obj, storages))
    else:
        path.write_bytes(wf.zip_bytes(obj, storages))
    return path


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "a.pdparams", "a.safetensors", "a.npz"])
def test_every_kind_of_file(name: str, tmp_path: Path) -> None:
    arrays = vgg()
    found = load_vgg_features(write(tmp_path / name, arrays))
    assert set(found) == {key for key in arrays if key.startswith("features.")}
    for key, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, arrays[key])


def test_layers_are_those_that_the_encoders_use() -> None:
    from paddle_umsft.methods.networks.vgg import CONVOLUTIONS

    assert tuple(c for c in shapes.VGG_CONVOLUTIONS if c[0] < 24) == CONVOLUTIONS


def test_everything_missing_is_listed(tmp_path: Path) -> None:
    arrays = vgg()
    del arrays["features.0.weight"], arrays["features.21.running_var"]
    arrays["features.3.bias"] = np.zeros(65, np.float32)
    arrays["features.7.bias"] = np.zeros(128, np.int64)
    with pytest.raises(ConversionError) as caught:
        load_vgg_features(write(tmp_path / "a.npz", arrays))
    for part in (
        "features.0.weight missing",
        "features.21.running_var missing",
        "features.3.bias (65,) instead of (64,)",
    ):
        assert part in str(caught.value)
    assert "features.7.bias is int64" in str(caught.value)


def test_another_network_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", {"kernel": (np.zeros((1, 1, 3, 3)), "float64")}, {})
    with pytest.raises(ConversionError, match="no VGG16-BN"):
        load_vgg_features(tmp_path / "a.safetensors")


def test_half_precision_is_widened(tmp_path: Path) -> None:
    arrays = {name: array.astype(np.float16) for name, array in vgg().items()}
    found = load_vgg_features(write(tmp_path / "a.npz", arrays))
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

"""Converted files in Paddle's own hands, and Paddle's own files in the converter's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import weight_files as wf

from paddle_umsft.weights import convert_file, names, our_key, read_weights, shapes
from paddle_umsft.weights.formats.writers import save

paddle = pytest.importorskip("paddle")

SIZES = shapes.Sizes(bands=7, supports=(3, 5), attention=(5, 5, 5), widths=(6, 6, 6), skips=(2, 2, 2))


def build() -> paddle.nn.Layer:
    from paddle_umsft.config.umsft import NetworkConfig
    from paddle_umsft.methods.networks.model import ModelSizes
    from paddle_umsft.methods.umsft.model import build_model

    config = NetworkConfig(width=6, skip=2)
    return build_model(ModelSizes(bands=7, msi_bands=2, scale=4, supports=((0, 3), (2, 7))), config)


def published() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    wanted = {**shapes.umsft_shapes(SIZES), **shapes.psf_shapes(5)}
    made = {
        name: np.array(3) if name.endswith("tracked") else random.random(shape, np.float32)
        for name, shape in wanted.items()
        if not names.is_dead(name)
    }
    made["net.spadown.weight"] = made["net.down.weight"]
    return made


def test_converted_file_fits_the_model(tmp_path: Path) -> None:
    arrays = published()
    obj, storages = wf.state_dict(arrays)
    (tmp_path / "a.pth").write_bytes(wf.zip_bytes(obj, storages))
    convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams")
    state = paddle.load(str(tmp_path / "b.pdparams"))
    model = build()
    missing, unexpected = model.set_state_dict(state)
    assert missing == []
    assert all(name.startswith("published_only/") for name in unexpected)
    mine = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    for key, array in arrays.items():
        name = our_key(key)
        if name is not None:
            expected = array.T if names.is_linear(key) else array.reshape(mine[name].shape)
            np.testing.assert_array_equal(mine[name], expected)


def test_a_linear_layer_computes_the_same(tmp_path: Path) -> None:
    """PyTorch's Linear is x @ weight.T."""
    arrays = published()
    obj, storages = wf.state_dict(arrays)
    (tmp_path / "a.pth").write_bytes(wf.zip_bytes(obj, storages))
    convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams")
    model = build()
    model.set_state_dict(paddle.load(str(tmp_path / "b.pdparams")))
    x = np.random.default_rng(1).random((3, 7), np.float32)
    ours = model.network.levels[1].attention.query(paddle.to_tensor(x)).numpy()
    np.testing.assert_allclose(ours, x @ arrays["attention2.w_qs.weight"].T, rtol=1e-5)


@pytest.mark.parametrize(("protocol", "wrapped"), [(2, False), (4, False), (4, True)])
def test_checkpoint_of_paddle_goes_to_the_published_names(protocol: int, wrapped: bool, tmp_path: Path) -> None:
    paddle.seed(1)
    model = build()
    state = model.state_dict()
    paddle.save({"net": state, "epoch": 3} if wrapped else state, str(tmp_path / "a.pdparams"), protocol=protocol)
    report = convert_file(tmp_path / "a.pdparams", tmp_path / "b.pth")
    assert "spatial.kernel" in {name.replace("net.", "", 1) for name in report.names("dropped")}
    made = {name: leaf.values() for name, leaf in read_weights(tmp_path / "b.pth").tree.items()}
    assert {name: array.shape for name, array in made.items()} == shapes.umsft_shapes(SIZES)
    for name, tensor in state.items():
        if not name.startswith("spatial."):
            key = names.published_key(name)
            expected = tensor.numpy().T if names.is_linear(key) else tensor.numpy().reshape(made[key].shape)
            np.testing.assert_array_equal(made[key], expected)


def test_layers_alone(tmp_path: Path) -> None:
    """The PSF and SRF net each in a file of its own, from the layer and back into it."""
    model = build()
    for layer, key in ((model.spatial, "net.down.weight"), (model.spectral, "srf_list.0")):
        paddle.save(layer.state_dict(), str(tmp_path / "a.pdparams"))
        convert_file(tmp_path / "a.pdparams", tmp_path / "b.pth")
        assert key in read_weights(tmp_path / "b.pth").tree
        convert_file(tmp_path / "b.pth", tmp_path / "c.pdparams")
        missing, unexpected = layer.set_state_dict(paddle.load(str(tmp_path / "c.pdparams")))
        assert (missing, unexpected) == ([], ["published_only/meta"])


def test_every_type_and_shape_loads(tmp_path: Path) -> None:
    kinds = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
    arrays = {kind: (np.arange(6).reshape(2, 3) % 2).astype(kind) for kind in kinds}
    arrays["scalar"] = np.array(2.5, np.float32)
    arrays["turned"] = np.arange(6, dtype=np.float32).reshape(2, 3).T
    tensors = {name: (array, array.dtype.name) for name, array in arrays.items()}
    save(tmp_path / "a.pdparams", tensors, {"a": "b"})
    state = paddle.load(str(tmp_path / "a.pdparams"))
    for name, array in arrays.items():
        assert state[name].numpy().dtype == array.dtype
        np.testing.assert_array_equal(state[name].numpy(), array)


def test_what_is_kept_aside_stays_numpy(tmp_path: Path) -> None:
    one = (np.ones(2, np.float32), "float32")
    save(tmp_path / "a.pdparams", {"a": one, "published_only/b": one}, {})
    state = paddle.load(str(tmp_path / "a.pdparams"))
    assert isinstance(state["a"], paddle.Tensor)
    assert isinstance(state["published_only/b"], np.ndarray)

"""Reading PyTorch's formats: files built byte by byte everywhere, and PyTorch's own where it is installed."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import weight_files as wf

from paddle_umsft.weights import read_weights
from paddle_umsft.weights.formats.values import Leaf, narrow_bfloat16, widen_bfloat16
from paddle_umsft.weights.formats.writers import save

TYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def both_formats(obj: Any, storages: dict[str, bytes], itemsizes: dict[str, int]) -> list[bytes]:
    return [wf.zip_bytes(obj, storages), wf.legacy_bytes(obj, storages, itemsizes)]


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type(dtype: str, tmp_path: Path) -> None:
    array = (np.arange(6) % 2 if dtype == "bool" else np.arange(6)).astype(dtype).reshape(2, 3)
    obj, storages = wf.state_dict({"a": array, "scalar": array[0, 1], "none": array[:0]})
    for data in both_formats(obj, storages, dict.fromkeys("012", array.itemsize)):
        tree = read_weights(write(tmp_path / "a.pth", data)).tree
        assert tree["a"].values().dtype == array.dtype
        np.testing.assert_array_equal(tree["a"].values(), array)
        assert tree["scalar"].values() == array[0, 1]
        assert tree["none"].values().shape == (0, 3)


def test_bfloat16_becomes_float32_exactly(tmp_path: Path) -> None:
    """1.0, -2.0, 3.140625 and the smallest normal number, by their bits as IEEE 754 cut after 16."""
    bits = np.array([0x3F80, 0xC000, 0x4049, 0x0080], np.uint16)
    expected = np.array([1.0, -2.0, 3.140625, 2.0**-126], np.float32)
    obj = {"a": wf.tensor(wf.Stored("0", "bfloat16", 4), (4,), (1,))}
    for data in both_formats(obj, {"0": bits.tobytes()}, {"0": 2}):
        np.testing.assert_array_equal(read_weights(write(tmp_path / "a.pth", data)).tree["a"].values(), expected)
    np.testing.assert_array_equal(narrow_bfloat16(expected), bits)
    assert narrow_bfloat16(np.array([np.pi], np.float32)) is None


def test_every_bfloat16_survives_widening_and_narrowing() -> None:
    bits = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(narrow_bfloat16(widen_bfloat16(bits)), bits)


def test_shared_storage_offsets_and_strides(tmp_path: Path) -> None:
    base = np.arange(24, dtype=np.float32)
    stored = wf.Stored("0", "float32", 24)
    obj = {
        "whole": wf.tensor(stored, (4, 6), (6, 1)),
        "transposed": wf.tensor(stored, (6, 4), (1, 6)),
        "window": wf.tensor(stored, (2, 3), (6, 2), 7),
        "column": wf.tensor(stored, (4,), (6,), 5),
    }
    grid = base.reshape(4, 6)
    for data in both_formats(obj, {"0": base.tobytes()}, {}):
        tree = read_weights(write(tmp_path / "a.pth", data)).tree
        np.testing.assert_array_equal(tree["whole"].values(), grid)
        np.testing.assert_array_equal(tree["transposed"].values(), grid.T)
        np.testing.assert_array_equal(tree["window"].values(), grid[1:3, 1::2])
        np.testing.assert_array_equal(tree["column"].values(), grid[:, 5])


def test_view_of_a_storage_in_the_older_format(tmp_path: Path) -> None:
    """Before 2018 a storage could itself be a part of another one."""
    stored = wf.Stored("0", "float32", 9, ("view", 2, 4))
    data = wf.legacy_bytes({"a": wf.tensor(stored, (2, 2), (2, 1))}, {"0": np.arange(9, dtype="<f4").tobytes()})
    tree = read_weights(write(tmp_path / "a.pth", data)).tree
    np.testing.assert_array_equal(tree["a"].values(), [[2, 3], [4, 5]])


def test_python_2_strings(tmp_path: Path) -> None:
    """torchvision's files of 2017 were written by Python 2, with its byte strings and the first rebuild function."""
    text = b"U\x01a"
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x02NtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\x00K\x02\x85K\x01\x85tR"
    program = b"\x80\x02ccollections\nOrderedDict\n](]" + b"(" + text + tensor + b"ee\x85R."
    data = wf.dump(wf.MAGIC) + wf.dump(1001) + wf.dump(wf.SYSTEM) + program + b"\x80\x02]U\x010a."
    data += (2).to_bytes(8, "little") + np.array([5, 6], "<f4").tobytes()
    np.testing.assert_array_equal(read_weights(write(tmp_path / "a.pth", data)).tree["a"].values(), [5, 6])


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_numpy_arrays_in_a_pickle(protocol: int, tmp_path: Path) -> None:
    arrays = {
        "c": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big-endian": np.arange(3, dtype=">i4"),
        "long": np.arange(1 << 18, dtype=np.float32),  # protocol 2 hides it in a string of more than a megabyte
        "scalar": np.float32(3),
    }
    tree = read_weights(write(tmp_path / "a.pdparams", pickle.dumps(arrays, protocol))).tree
    for name, array in arrays.items():
        np.testing.assert_array_equal(tree[name].values(), array)


def test_file_may_be_replaced_or_deleted_while_its_arrays_live(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdparams", pickle.dumps({"a": np.arange(4.0)}))
    values = read_weights(path).tree["a"].values()
    path.unlink()
    np.testing.assert_array_equal(values, np.arange(4.0))


# The rest needs PyTorch, the reference for its own formats.


def same(ours: Any, theirs: Any) -> None:
    torch = pytest.importorskip("torch")
    if isinstance(theirs, torch.Tensor):
        plain = theirs.detach()
        expected = plain.float().numpy() if plain.dtype == torch.bfloat16 else plain.numpy()
        assert isinstance(ours, Leaf)
        assert ours.values().dtype == expected.dtype
        np.testing.assert_array_equal(ours.values(), expected)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for name in theirs:
            same(ours[name], theirs[name])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b)
    elif isinstance(theirs, np.generic):
        assert ours.values() == theirs
    else:
        assert ours == theirs


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("new_format", [True, False])
def test_what_pytorch_writes(protocol: int, new_format: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    base = torch.arange(24.0).reshape(4, 6)
    weights = OrderedDict(
        a=base,
        transposed=base.t(),
        window=base[1:3, ::2],
        parameter=torch.nn.Parameter(base + 1),
        scalar=torch.tensor(3),
        empty=torch.zeros(0, 3),
        **{str(t).split(".")[1]: base.to(t) for t in (torch.float64, torch.float16, torch.bfloat16, torch.int64)},
        **{str(t).split(".")[1]: base.to(t) for t in (torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)},
        unsigned=base.to(torch.uint16),
    )
    weights._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]  # as Module.state_dict has it
    checkpoint = {
        "state_dict": weights,
        "epoch": 3,
        "best": np.float64(0.5),
        "optimizer": {"state": {0: {"exp_avg": base * 2}}, "param_groups": [{"betas": (0.9, 0.999), "params": [0]}]},
        "size": torch.Size([2, 3]),
    }
    torch.save(checkpoint, tmp_path / "a.pth", pickle_protocol=protocol, _use_new_zipfile_serialization=new_format)
    file = read_weights(tmp_path / "a.pth")
    assert file.container == ("torch zip" if new_format else "torch legacy")
    same(file.tree, checkpoint)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plainly_pickled_tensors(protocol: int, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensors = {"a": torch.arange(6.0).reshape(2, 3).t(), "b": torch.arange(3)}
    file = read_weights(write(tmp_path / "a.pth", pickle.dumps(tensors, protocol)))
    assert file.container == "pickle"
    same(file.tree, tensors)


def test_pytorch_reads_what_is_written(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    bits = (array.view(np.uint32) >> 16).astype(np.uint16)
    tensors = {
        "a": (array, "float32"),
        "tied": (array, "float32"),
        "turned": (array.T, "float32"),
        "count": (np.array(7, np.int64), "int64"),
        "short": (bits, "bfloat16"),
        "empty": (np.zeros((0, 2)), "float64"),
        "mask": (array > 3, "bool"),
    }
    save(tmp_path / "a.pth", tensors, {"made": "here"})
    for mapped in (False, True):
        loaded = torch.load(tmp_path / "a.pth", weights_only=True, mmap=mapped)
        assert list(loaded) == list(tensors)
        assert loaded["a"].data_ptr() == loaded["tied"].data_ptr()
        assert loaded["short"].dtype == torch.bfloat16
        for name, (values, dtype) in tensors.items():
            if dtype != "bfloat16":
                assert str(loaded[name].dtype) == f"torch.{dtype}"
                np.testing.assert_array_equal(loaded[name].numpy(), values)
    file = read_weights(tmp_path / "a.pth")
    assert file.metadata == {"made": "here"}
    same(file.tree, dict(loaded))

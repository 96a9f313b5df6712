"""Some seconds of damage at random: by hypothesis, which shrinks what it finds, and by the fuzzer beside this file."""

from __future__ import annotations

import random
from pathlib import Path

import fuzz_weights
import numpy as np
import pytest
import weight_files as wf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import read_weights
from paddle_umsft.weights.formats.writers import RESERVED, save

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OPCODES = st.sampled_from([bytes([code]) for code in range(256)])
NAMES = (
    "torch._utils _rebuild_tensor_v2,collections OrderedDict,torch Size,numpy dtype,numpy ndarray,os system,"
    "numpy.core.multiarray _reconstruct,_codecs encode,torch.storage _load_from_bytes,torch FloatStorage"
)
GLOBALS = [b"c" + name.replace(" ", "\n").encode() + b"\n" for name in NAMES.split(",")]
PIECES = [b"X\1\0\0\0a", b"K\1", b"\x85R", b"\x86R", b"q\0h\0", b"}(", b"](", b"u", b"e", b"K\4tQ", *GLOBALS]


@QUICK
@given(program=st.lists(st.one_of(OPCODES, st.sampled_from(PIECES), st.binary(max_size=9)), max_size=60).map(b"".join))
def test_any_program_is_read_or_refused(program: bytes, tmp_path: Path) -> None:
    fuzz_weights.try_file(tmp_path / "a.pth", b"\x80\x02" + program)
    fuzz_weights.try_file(tmp_path / "a.pth", wf.zip_bytes(None, {}, raw=b"\x80\x02" + program))


@QUICK
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_read_or_refused(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    corpus = fuzz_weights.seeds()
    for _ in range(5):
        fuzz_weights.try_file(tmp_path / "a.pth", fuzz_weights.damaged_file(corpus, rng))


VIEWS = st.integers(-2, 2**63)
NUMBERS = st.one_of(st.integers(-2, 12), VIEWS)


@QUICK
@given(count=st.integers(0, 40), axes=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4), offset=NUMBERS)
def test_no_view_reaches_outside_its_storage(
    count: int, axes: list[tuple[int, int]], offset: int, tmp_path: Path
) -> None:
    """Each element of an accepted tensor is one of the storage's, the one that its index says."""
    size, stride = tuple(n for n, _ in axes), tuple(step for _, step in axes)
    stored = np.arange(count, dtype=np.float32)
    obj = {"a": wf.tensor(wf.Stored("0", "float32", count), size, stride, offset)}
    (tmp_path / "a.pth").write_bytes(wf.zip_bytes(obj, {"0": stored.tobytes()}))
    try:
        values = read_weights(tmp_path / "a.pth").tree["a"].values()
    except ConversionError:
        inside = all(n > 0 for n in size) and offset + sum((n - 1) * s for n, s in axes) < count
        sound = min((*size, *stride, offset), default=0) >= 0
        assert not (sound and inside and np.prod(size, dtype=object) <= count)
        return
    assert values.shape == size
    for index in np.ndindex(values.shape) if values.size else ():
        assert values[index] == offset + sum(i * step for i, step in zip(index, stride))


ARRAYS = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="@"), min_size=1, max_size=20),
    st.tuples(st.lists(st.integers(0, 4), max_size=4), st.sampled_from(sorted(wf.STORAGES))),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("ending", ["pth", "pdparams"])
@QUICK
@given(wanted=ARRAYS)
def test_what_is_written_is_read_again(ending: str, wanted: dict[str, tuple[list[int], str]], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {}
    for name, (shape, dtype) in wanted.items():
        kind = "uint16" if dtype == "bfloat16" else dtype
        tensors[name] = ((rng.random(shape) * 100).astype(kind), dtype)
    path = tmp_path / f"a.{ending}"
    if set(tensors) & set(RESERVED.get(path.suffix, ())):
        with pytest.raises(ConversionError, match="keeps for itself"):
            save(path, tensors, {"a": "b"})
        return
    save(path, tensors, {"a": "b"})
    tree = read_weights(path).tree
    for name, (array, dtype) in tensors.items():
        assert tree[name].dtype == dtype if (ending, dtype) != ("pdparams", "bfloat16") else "uint16"
        np.testing.assert_array_equal(tree[name].array, array)


@pytest.mark.parametrize("ending", RESERVED)
def test_a_name_that_the_format_keeps_for_itself_is_refused(ending: str, tmp_path: Path) -> None:
    for name in RESERVED[ending]:
        tensors = {"a": (np.zeros(2), "float64"), name: (np.ones(2), "float64")}
        with pytest.raises(ConversionError, match="keeps for itself"):
            save(tmp_path / f"a{ending}", tensors, {})
    assert not list(tmp_path.iterdir())

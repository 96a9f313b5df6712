"""Whole conversions: there and back to the last bit, wrappings, half precision, tables, digests, the command line."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import weight_files as wf
from programs import program

from paddle_umsft.errors import ConfigError, ConversionError
from paddle_umsft.weights import (
    IncompleteError,
    convert_file,
    names,
    our_key,
    ours_to_published,
    published_to_ours,
    read_weights,
    shapes,
)

ROOT = Path(__file__).parents[2]
SMALL = shapes.Sizes(bands=7, supports=(3, 5), attention=(5, 5, 5), widths=(6, 7, 8), skips=(2, 3, 4))
FULL = shapes.Sizes(bands=31, supports=(11, 13, 12), attention=(30,) * 3, widths=(191,) * 3, skips=(20,) * 3)
Arrays = dict[str, np.ndarray]


def checkpoint(sizes: shapes.Sizes = SMALL, dead: bool = False, dtype: str = "float32") -> Arrays:
    """Random weights under their published names; without the dead layers it is small."""
    random = np.random.default_rng(0)
    made: Arrays = {}
    for name, shape in shapes.umsft_shapes(sizes).items():
        if dead or not names.is_dead(name):
            count = name.endswith("num_batches_tracked")
            made[name] = np.array(7) if count else random.random(shape, np.float32).astype(dtype)
    return made


def srf_net() -> Arrays:
    random = np.random.default_rng(1)
    found = {"srf_list.0": (4,), "srf_list.1": (3,)}
    for band in range(2):
        found.update({f"conv_lst.{band}.weight": (1, 1, 3), f"conv_lst.{band}.bias": (1,)})
    return {name: random.random(shape, np.float32) for name, shape in found.items()}


def psf_net() -> Arrays:
    kernel = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    return {"net.down.weight": kernel, "net.spadown.weight": kernel}


def store(path: Path, arrays: Arrays, wrap: Callable[[dict[str, Any]], Any] = lambda made: made) -> Path:
    obj, storages = wf.state_dict(arrays)
    path.write_bytes(wf.zip_bytes(wrap(obj), storages))
    return path


def arrays_of(path: Path) -> Arrays:
    tree = read_weights(path).tree
    return {name: leaf.array for name, leaf in tree.items() if not name.endswith("@@")}


def assert_same(first: Arrays, second: Arrays) -> None:
    assert list(first) == list(second)
    for name in first:
        assert first[name].dtype == second[name].dtype, name
        assert first[name].shape == second[name].shape, name
        assert first[name].tobytes() == second[name].tobytes(), name


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store(tmp_path_factory.mktemp("small") / "small.pth", checkpoint())


def test_there_and_back_to_the_last_bit(small: Path, tmp_path: Path) -> None:
    convert_file(small, tmp_path / "a.pdparams")
    report = convert_file(tmp_path / "a.pdparams", tmp_path / "b.pth")
    back = arrays_of(tmp_path / "b.pth")
    filled = report.names("filled")
    assert filled
    assert all(names.is_dead(name) for name in filled)
    assert list(back) == list(shapes.umsft_shapes(SMALL))
    assert_same({name: array for name, array in back.items() if name not in filled}, arrays_of(small))


def test_dead_layers_and_counts_come_back(tmp_path: Path) -> None:
    source = store(tmp_path / "a.pth", checkpoint(dead=True))
    report = convert_file(source, tmp_path / "b.pdparams")
    assert len(report.names("kept aside")) == 84 + 56
    assert convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth").names("filled") == []
    assert_same(arrays_of(tmp_path / "c.pth"), arrays_of(source))


def test_linear_layers_and_no_others_are_transposed() -> None:
    published = checkpoint()
    ours, aside = published_to_ours(published)
    for key, array in published.items():
        name = our_key(key)
        expected = array.T if ".w_" in key or ".fc." in key else array
        expected = expected[None, None] if "srf_list" in key else expected
        np.testing.assert_array_equal(ours[name] if name else aside[key], expected)
    back = ours_to_published(ours, aside)
    assert set(back) == set(published)
    assert all(np.array_equal(back[key], published[key]) for key in published)


def test_declared_start_of_dead_layers(small: Path, tmp_path: Path) -> None:
    """By its definition: uniform in ±1/sqrt(fan_in) from the key's CRC-32, BN at rest."""
    convert_file(small, tmp_path / "b.pth")
    made = arrays_of(tmp_path / "b.pth")
    key = "HSIFE.extractor.27.weight"
    random = np.random.RandomState(zlib.crc32(key.encode()))
    bound = 1 / np.sqrt(512 * 9)
    expected = random.uniform(-bound, bound, (512, 512, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(made[key], expected)
    assert np.all(made["MSIFE.extractor.41.running_var"] == 1)
    assert np.all(made["MSIFE.extractor.41.running_mean"] == 0)
    assert made["MSIFE.extractor.41.num_batches_tracked"] == 0


@pytest.mark.parametrize("prefix", ["", "module.", "net.module.", "state_dict.", "model.module."])
def test_wrappings_and_prefixes(prefix: str, small: Path, tmp_path: Path) -> None:
    def wrap(made: dict[str, Any]) -> Any:
        outer, _, inner = prefix.partition(".")
        inside = {f"{inner}{name}": value for name, value in made.items()}
        return {outer: inside, "epoch": 3, "optimizer": {"lr": 0.1, "state": {0: {"step": 1}}}} if outer else inside

    source = store(tmp_path / "a.pth", checkpoint(), wrap)
    report = convert_file(source, tmp_path / "b.pdparams")
    convert_file(small, tmp_path / "c.pdparams")
    assert "UMSFT network" in report.recognised
    assert (prefix in report.recognised) == bool(prefix) or prefix == ""
    assert_same(
        {name: array for name, array in arrays_of(tmp_path / "b.pdparams").items() if "/meta" not in name},
        {name: array for name, array in arrays_of(tmp_path / "c.pdparams").items() if "/meta" not in name},
    )


def test_of_two_copies_the_named_one_is_taken(tmp_path: Path) -> None:
    obj, storages = wf.state_dict(psf_net())
    (tmp_path / "a.pth").write_bytes(wf.zip_bytes({"model": obj, "ema": obj}, storages))
    with pytest.raises(ConversionError, match="more than once"):
        convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams")
    assert convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams", key="ema").names("converted")


@pytest.mark.parametrize(("dtype", "stored"), [("float16", "float32"), ("float64", "float64")])
def test_other_precisions_come_back(dtype: str, stored: str, tmp_path: Path) -> None:
    arrays = {name: array.astype(dtype) for name, array in srf_net().items()}
    source = store(tmp_path / "a.pth", arrays)
    report = convert_file(source, tmp_path / "b.pdparams")
    assert ("made float32" in report.table()) == (dtype == "float16")
    assert arrays_of(tmp_path / "b.pdparams")["responses.0.start"].dtype == stored
    convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    assert_same(arrays_of(tmp_path / "c.pth"), arrays)


def test_half_precision_that_was_trained_on_stays_float32(tmp_path: Path) -> None:
    """Narrowing again would lose what training added."""
    half = {name: array.astype("f2") for name, array in srf_net().items()}
    convert_file(store(tmp_path / "a.pth", half), tmp_path / "b.pdparams")
    made = read_weights(tmp_path / "b.pdparams")
    ours = {name: leaf.values().copy() for name, leaf in made.tree.items() if name.startswith("responses.")}
    ours["responses.0.bias"] += 1e-5
    # Any format that keeps the metadata will do; this one is written here.
    (tmp_path / "c.safetensors").write_bytes(wf.safetensors_of(ours, made.metadata))
    convert_file(tmp_path / "c.safetensors", tmp_path / "d.pth")
    back = arrays_of(tmp_path / "d.pth")
    assert back["conv_lst.0.bias"].dtype == "float32"
    assert back["srf_list.0"].dtype == "float16"


def test_bfloat16_comes_back(tmp_path: Path) -> None:
    bits = {name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in srf_net().items()}
    obj = {
        name: wf.tensor(wf.Stored(name, "bfloat16", array.size), array.shape, wf.strides_of(array.shape))
        for name, array in bits.items()
    }
    (tmp_path / "a.pth").write_bytes(wf.zip_bytes(obj, {name: array.tobytes() for name, array in bits.items()}))
    convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams")
    convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    back = read_weights(tmp_path / "c.pth").tree
    assert {leaf.dtype for leaf in back.values()} == {"bfloat16"}
    assert_same({name: leaf.array for name, leaf in back.items()}, bits)


@pytest.mark.parametrize("ending", ["pdparams", "pth"])
def test_same_input_same_bytes_and_digests(ending: str, tmp_path: Path) -> None:
    source = store(tmp_path / "source.pth", srf_net())
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    contents = set()
    for name in ("one", "two"):
        target = tmp_path / f"{name}.{ending}"
        convert_file(source, target)
        contents.add(target.read_bytes())
        assert read_weights(target).metadata["source_sha256"] == digest
        sidecar = json.loads((tmp_path / f"{name}.{ending}.json").read_text())
        assert sidecar["source"] == {"name": "source.pth", "sha256": digest}
        assert sidecar["result"] == {"name": target.name, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
        os.utime(source, (0, 0))  # neither the clock nor the file's own date may show
    assert len(contents) == 1


def test_converting_what_is_converted_changes_nothing(small: Path, tmp_path: Path) -> None:
    convert_file(small, tmp_path / "a.pdparams")
    convert_file(tmp_path / "a.pdparams", tmp_path / "b.pdparams")
    first, second = arrays_of(tmp_path / "a.pdparams"), arrays_of(tmp_path / "b.pdparams")
    assert first.pop("published_only/meta").tobytes() != second.pop("published_only/meta").tobytes()  # another source
    assert_same(first, second)


def test_everything_wrong_is_listed_at_once(tmp_path: Path) -> None:
    arrays = checkpoint()
    del arrays["rm.refine.0.bias"], arrays["rm.srf.srf_list.1"]
    arrays["attention2.w_ks.weight"] = np.zeros((4, 7), "f4")
    arrays["super.2.bias"] = np.zeros(8, np.int32)
    arrays["attention.extra"] = np.zeros(2, "f4")
    source = store(tmp_path / "a.pth", arrays)
    with pytest.raises(IncompleteError) as caught:
        convert_file(source, tmp_path / "b.pdparams")
    text = str(caught.value)
    for part in ("missing: rm.srf.srf_list.1, rm.refine.0.bias", "extra: attention.extra", "super.2.bias (int32)"):
        assert part in text
    assert "attention2.w_ks.weight ((4, 7) instead of (5, 7))" in text
    assert "rm.refine.0.bias" in caught.value.report.table()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth"]


def test_half_of_the_dead_layers_is_an_error(tmp_path: Path) -> None:
    arrays = checkpoint()
    arrays["HSIFE.extractor.25.bias"] = np.zeros(512, "f4")
    with pytest.raises(IncompleteError, match=r"MSIFE\.extractor\.41\.running_var"):
        convert_file(store(tmp_path / "a.pth", arrays), tmp_path / "b.pdparams")


def test_old_files_without_counts(tmp_path: Path) -> None:
    arrays = {name: array for name, array in checkpoint().items() if not name.endswith("tracked")}
    convert_file(store(tmp_path / "a.pth", arrays), tmp_path / "b.pdparams")
    report = convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    assert sum(name.endswith("tracked") for name in report.names("filled")) == 2 * 13 + 6 * (3 + 2 + 2)


def test_psf_and_srf_nets(tmp_path: Path) -> None:
    responses = [f"responses.{band}.{part}" for band in (0, 1) for part in ("start", "weight", "bias")]
    for arrays, ours in ((psf_net(), ["kernel"]), (srf_net(), responses)):
        source = store(tmp_path / "a.pth", arrays)
        convert_file(source, tmp_path / "b.pdparams")
        assert sorted(name for name in arrays_of(tmp_path / "b.pdparams") if "/" not in name) == sorted(ours)
        convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
        assert_same(arrays_of(tmp_path / "c.pth"), arrays)


def test_parts_of_a_file_of_several(tmp_path: Path) -> None:
    source = store(tmp_path / "a.pth", {**checkpoint(), **psf_net()})
    convert_file(source, tmp_path / "b.pdparams")
    assert "spatial.kernel" in arrays_of(tmp_path / "b.pdparams")
    report = convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    assert report.names("dropped") == ["spatial.kernel"]
    convert_file(tmp_path / "b.pdparams", tmp_path / "d.pth", part="psf")
    assert list(arrays_of(tmp_path / "d.pth")) == ["net.down.weight", "net.spadown.weight"]


def test_wrong_usage(small: Path, tmp_path: Path) -> None:
    for target, arguments in (
        (tmp_path / "a.bin", {}),
        (tmp_path / "a.safetensors", {}),
        (tmp_path / "a.pth", {"part": "vae"}),
        (small, {}),
    ):
        with pytest.raises(ConfigError):
            convert_file(small, target, **arguments)


def test_folder_that_is_not_there(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="cannot be written"):
        convert_file(small, tmp_path / "none" / "a.pdparams")


def test_command_line(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = program("tools/convert_weights.py").main
    assert main([str(small), str(tmp_path / "a.pdparams")]) == 0
    shown = capsys.readouterr()
    assert "UMSFT network" in shown.out
    assert "converted" in shown.out
    assert shown.err == ""
    assert main([str(small), str(tmp_path / "a.xyz")]) == 2
    assert main([str(tmp_path / "none.pth"), str(tmp_path / "b.pdparams")]) == 3
    assert capsys.readouterr().err.count("\n") == 2
    arrays = checkpoint()
    del arrays["rm.refine.0.bias"]
    assert main([str(store(tmp_path / "c.pth", arrays)), str(tmp_path / "d.pdparams")]) == 3
    shown = capsys.readouterr()
    assert "rm.refine.0.bias" in shown.out
    assert shown.err.count("\n") == 1


def test_a_key_that_is_not_there(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"no entry 'nope', got .*; give another --key"):
        convert_file(small, tmp_path / "a.pdparams", key="nope")


def test_stopped_by_the_user(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paddle_umsft.weights.convert_file", stopped)
    assert program("tools/convert_weights.py").main([str(small), str(tmp_path / "a.pdparams")]) == 130
    assert capsys.readouterr().err.startswith("interrupted")


def test_neither_framework_is_needed(small: Path, tmp_path: Path) -> None:
    """In a fresh interpreter that has no torch and no paddle to import."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['paddle'] = None; sys.path.insert(0, sys.argv[1]);"
        "from paddle_umsft.weights import convert_file; convert_file(sys.argv[2], sys.argv[3])"
    )
    target = tmp_path / "a.pdparams"
    subprocess.run([sys.executable, "-c", code, str(ROOT), str(small), str(target)], check=True)
    assert target.exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="reads what it cost from /proc")
def test_published_size_in_one_pass_and_600_megabytes(tmp_path: Path) -> None:
    """Every byte is written once and none is read into a buffer and back: what makes it quick, counted."""
    source = store(tmp_path / "a.pth", checkpoint(FULL, dead=True))
    assert source.stat().st_size > 145e6
    code = (
        "import sys; sys.modules['torch'] = sys.modules['paddle'] = None; sys.path.insert(0, sys.argv[1]);"
        "import convert_weights as tool; assert tool.main(sys.argv[2:]) == 0;"
        "print(open('/proc/self/status').read(), open('/proc/self/io').read(), sep='')"
    )
    for begin, end in (("a.pth", "b.pdparams"), ("b.pdparams", "c.pth")):
        command = [sys.executable, "-c", code, str(ROOT / "tools"), str(tmp_path / begin), str(tmp_path / end)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        cost = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
        # Not ru_maxrss: that of a child begins with what its parent had.
        assert int(cost["VmHWM"].split()[0]) < 600e3
        # Reading is mostly mapping, which these counts leave out; Python's own modules are 4 MB.
        assert int(cost["rchar"]) + int(cost["wchar"]) < 1.1 * source.stat().st_size
    assert_same(arrays_of(tmp_path / "c.pth"), arrays_of(source))

"""uHNTC's checkpoints there and back: what is renamed, dropped by name, filled in, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import program
from test_convert_file import Arrays, arrays_of, assert_same, psf_net, srf_net, store

from paddle_umsft.errors import ConfigError, ConversionError
from paddle_umsft.parity.reference import BUILT_IN_UHNTC
from paddle_umsft.weights import (
    IncompleteError,
    convert_file,
    load_start,
    our_key,
    published_key,
    read_weights,
    shapes_uhntc,
)
from paddle_umsft.weights.declared import query_start
from paddle_umsft.weights.formats.writers import save
from paddle_umsft.weights.unused import pixels_of_image, unused_shapes

SIZES = shapes_uhntc.UhntcSizes(bands=5, msi_bands=2)
UNUSED = unused_shapes(pixels_of_image(24, 20))
QUERY = "network.encoder.query"


def checkpoint(count: Any = 7, dtype: str = "float32") -> Arrays:
    """A whole published state_dict of a small network for a 24x20 image, random."""
    random = np.random.default_rng(0)
    made: Arrays = {}
    for name, shape in shapes_uhntc.uhntc_shapes(SIZES, query=False, unused=UNUSED).items():
        counted = name.endswith("num_batches_tracked")
        made[name] = np.array(count) if counted else random.random(shape, np.float32).astype(dtype)
    return made


def test_shapes_are_the_published_ones() -> None:
    """Every key, its shape and the order, against the list that the published code gave."""
    listed = json.loads(BUILT_IN_UHNTC.with_suffix(".json").read_text())["state_dict_shapes"]["31x3_128x128"]
    sizes = shapes_uhntc.UhntcSizes(bands=31, msi_bands=3)
    unused = unused_shapes(pixels_of_image(128, 128))
    made = shapes_uhntc.uhntc_shapes(sizes, query=False, unused=unused)
    assert list(made.items()) == [(name, tuple(shape)) for name, shape in listed.items()]


def test_names_there_and_back() -> None:
    for name in shapes_uhntc.uhntc_shapes(SIZES, query=True):
        if name.endswith("num_batches_tracked"):
            assert our_key(name) is None
        else:
            assert published_key(str(our_key(name))) == name
    for name in ("FTB_h2.multiatt1.w_qs.weight", "FE.model.24.weight", "skipx.0.weight", "up_16.1.weight"):
        assert our_key(name) is None
    for name in ("skip_high.hourglass", "skip_high.other.weight", "skip_low.hourglass.outer.skip.weight"):
        with pytest.raises(KeyError):
            published_key(name)


def test_there_and_back(tmp_path: Path) -> None:
    """All but the attentions that are never called is the same to the last bit; those are filled in for their size."""
    before = checkpoint()
    report = convert_file(store(tmp_path / "a.pth", before), tmp_path / "b.pdparams")
    unused = [name for name in before if name.startswith("FTB_")]
    assert "uHNTC (FeafusFormer) network" in report.recognised
    assert report.names("dropped") == unused
    assert report.names("filled") == ["HSIconv.weight", "HSIconv.bias"]
    assert f"{QUERY}.weight" in arrays_of(tmp_path / "b.pdparams")

    report = convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    assert report.names("dropped") == [f"{QUERY}.weight", f"{QUERY}.bias"]
    assert report.names("filled") == unused
    after = arrays_of(tmp_path / "c.pth")
    assert {name: array.shape for name, array in after.items()} == {name: a.shape for name, a in before.items()}
    kept = [name for name in before if name not in unused]
    assert_same({name: after[name] for name in kept}, {name: before[name] for name in kept})

    convert_file(tmp_path / "c.pth", tmp_path / "d.pdparams")
    convert_file(tmp_path / "d.pdparams", tmp_path / "e.pth")
    assert (tmp_path / "e.pth").read_bytes() != (tmp_path / "c.pth").read_bytes()  # it names another source
    assert_same(arrays_of(tmp_path / "e.pth"), after)


def test_declared_starts(tmp_path: Path) -> None:
    """Uniform in ±1/sqrt(fan_in), and the same in every process."""
    convert_file(store(tmp_path / "a.pth", checkpoint()), tmp_path / "b.pdparams")
    convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth", image_size=(64, 48))
    filled = arrays_of(tmp_path / "c.pth")
    weight = filled["FTB_l2.multiatt1.w_qs.weight"]
    assert weight.shape == (50, 64 * 48)
    assert np.abs(weight).max() <= (64 * 48) ** -0.5
    assert weight.std() == pytest.approx((64 * 48) ** -0.5 / 3**0.5, rel=0.02)
    assert np.all(filled["FTB_m2.multiatt1.OutBN.running_var"] == 1)
    assert np.all(filled["FTB_m2.multiatt1.OutBN.bias"] == 0)
    start = query_start(31)["HSIconv.weight"]
    assert np.abs(start).max() <= (9 * 31) ** -0.5
    assert start.std() == pytest.approx((9 * 31) ** -0.5 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("prefix", ["", "module.", "net."])
def test_wrapped_and_prefixed(prefix: str, tmp_path: Path) -> None:
    arrays = {prefix + name: array for name, array in checkpoint().items()}
    store(tmp_path / "a.pth", arrays, lambda made: {"epoch": 3, "model": made})
    convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams")
    store(tmp_path / "plain.pth", checkpoint())
    convert_file(tmp_path / "plain.pth", tmp_path / "c.pdparams")
    ours = [arrays_of(tmp_path / name) for name in ("b.pdparams", "c.pdparams")]
    tensors = [{name: a for name, a in one.items() if not name.endswith("meta")} for one in ours]
    assert_same(*tensors)


def test_a_query_convolution_that_somebody_saved_is_taken(tmp_path: Path) -> None:
    saved = {name: array + 1 for name, array in query_start(5).items()}
    report = convert_file(store(tmp_path / "a.pth", {**checkpoint(), **saved}), tmp_path / "b.pdparams")
    assert not report.names("filled")
    ours = arrays_of(tmp_path / "b.pdparams")
    assert np.array_equal(ours[f"{QUERY}.bias"], saved["HSIconv.bias"])


def test_half_precision_with_half_counters(tmp_path: Path) -> None:
    before = checkpoint(np.float16(7), "float16")
    convert_file(store(tmp_path / "a.pth", before), tmp_path / "b.pdparams")
    ours = arrays_of(tmp_path / "b.pdparams")
    assert {array.dtype.name for name, array in ours.items() if name.startswith("network.")} == {"float32"}
    convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    after = arrays_of(tmp_path / "c.pth")
    kept = [name for name in before if not name.startswith("FTB_")]
    assert_same({name: after[name] for name in kept}, {name: before[name] for name in kept})


@pytest.mark.parametrize("count", [np.float16(0.5), np.float16(np.inf)])
def test_counters_that_count_nothing(count: Any, tmp_path: Path) -> None:
    with pytest.raises(IncompleteError, match="wrong type: skiph"):
        convert_file(store(tmp_path / "a.pth", checkpoint(count)), tmp_path / "b.pdparams")


def test_a_run_with_its_degradations(tmp_path: Path) -> None:
    """Network, PSF and SRF of a run: each becomes a state_dict of its own."""
    arrays = {**{f"n.{k}": a for k, a in checkpoint().items()}, **{f"s.{k}": a for k, a in srf_net().items()}}
    arrays.update({f"p.{name}": array for name, array in psf_net().items()})
    convert_file(store(tmp_path / "all.pth", arrays), tmp_path / "b.pdparams")
    ours = arrays_of(tmp_path / "b.pdparams")
    assert {"network", "spatial", "spectral"} <= {name.partition(".")[0] for name in ours}
    report = convert_file(tmp_path / "b.pdparams", tmp_path / "c.pth")
    assert {"spatial.kernel", "spectral.responses.0.start"} <= set(report.names("dropped"))
    convert_file(tmp_path / "b.pdparams", tmp_path / "srf.pth", part="srf")
    assert_same(arrays_of(tmp_path / "srf.pth"), srf_net())


def test_what_is_wrong_is_listed(tmp_path: Path) -> None:
    arrays = checkpoint()
    del arrays["skipm.3.2.bias"]
    arrays["up_4.2.weight"] = arrays["up_4.2.weight"][1:]
    arrays["FTB_h2.multiatt1.other"] = np.zeros(3, np.float32)
    with pytest.raises(IncompleteError) as caught:
        convert_file(store(tmp_path / "a.pth", arrays), tmp_path / "b.pdparams")
    report = caught.value.report
    assert report.names("missing") == ["skipm.3.2.bias"]
    assert report.names("wrong shape") == ["up_4.2.weight"]
    assert report.names("extra") == ["FTB_h2.multiatt1.other"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_two_networks_in_one_file(tmp_path: Path) -> None:
    store(tmp_path / "a.pth", {**{f"a.{k}": v for k, v in checkpoint().items()}, "b.skiph.0.weight": np.zeros(1)})
    with pytest.raises(ConversionError, match="more than once"):
        convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams")


@pytest.mark.parametrize("size", [(3, 128), (128, 5000)])
def test_image_sizes_that_cannot_be(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="size of the image"):
        convert_file(store(tmp_path / "a.pth", checkpoint()), tmp_path / "b.pth", image_size=size)


def test_the_image_size_is_remembered(tmp_path: Path) -> None:
    """Through any number of files of ours; what cannot be is passed over, and 128x128 is taken."""
    convert_file(store(tmp_path / "a.pth", checkpoint()), tmp_path / "b.pdparams")
    convert_file(tmp_path / "b.pdparams", tmp_path / "c.pdparams")
    convert_file(tmp_path / "c.pdparams", tmp_path / "d.pth")
    assert arrays_of(tmp_path / "d.pth")["FTB_m2.multiatt1.fc.weight"].shape == (12 * 10, 50)
    ours = read_weights(tmp_path / "b.pdparams").tree
    tensors = {name: (leaf.array, leaf.dtype) for name, leaf in ours.items() if name.startswith("network.")}
    for pixels in ("{}", "[1]", '{"h": 1, "m": true, "l": 4}', '{"h": 1, "m": 1, "l": 1000000000000}', "["):
        save(tmp_path / "e.pdparams", tensors, {"unused_pixels": pixels})
        convert_file(tmp_path / "e.pdparams", tmp_path / "f.pth")
        assert arrays_of(tmp_path / "f.pth")["FTB_m2.multiatt1.fc.weight"].shape == (64 * 64, 50)


def test_command_line_takes_an_image_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "a.pth", checkpoint())
    files = [str(tmp_path / "a.pth"), str(tmp_path / "b.pth")]
    main = program("tools/convert_weights.py").main
    assert main([*files, "--image-size", "12", "16"]) == 0
    assert arrays_of(tmp_path / "b.pth")["FTB_h2.multiatt1.w_vs.weight"].shape == (50, 3 * 4)
    assert main([*files, "--image-size", "12", "1"]) == 2
    assert "got 12x1" in capsys.readouterr().err


def test_start_from_a_published_checkpoint(tmp_path: Path) -> None:
    """Directly and through the converter: the same start, the query convolution's too."""
    store(tmp_path / "a.pth", checkpoint())
    convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams")
    assert_same(load_start(tmp_path / "a.pth"), load_start(tmp_path / "b.pdparams"))

"""`fuse` on two arrays: what does not fit is one line of the house's own errors."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from paddle_umsft import Config, UmsftError, fuse, read_pair, read_scene, run
from paddle_umsft.parity.__main__ import main as parity

RNG = np.random.RandomState(0)
# Noise and other noise: no pair, and `fuse` says so.
pytestmark = pytest.mark.filterwarnings("ignore:do not trust this")
LOW, HIGH = RNG.uniform(0.1, 1, (8, 12, 5)), RNG.uniform(0.1, 1, (32, 48, 2))


def test_a_masked_array_counts_only_where_nothing_is_masked() -> None:
    masked = np.ma.array(LOW, mask=LOW > 0.9)
    with pytest.raises(UmsftError, match=f"lr_hsi: values, expected none masked, got {masked.mask.sum()} of 480"):
        fuse(masked, HIGH, method="bicubic")
    free = fuse(np.ma.array(LOW, mask=False), HIGH, method="bicubic").fused
    np.testing.assert_array_equal(free, fuse(LOW, HIGH, method="bicubic").fused)
    psf = np.ma.array(np.ones((2, 2)), mask=[[0, 0], [0, 1]])
    with pytest.raises(UmsftError, match=r"psf: .*masked"):
        fuse(LOW, HIGH, method="bicubic", psf=psf)


@pytest.mark.parametrize(
    ("lr_hsi", "more", "fact"),
    [
        ([[1], [1, 2]], {}, "lr_hsi: not an array|lr_hsi: type of the values"),
        (LOW, {"wavelengths_nm": "x"}, "wavelengths_nm: band centres, expected 5 numbers, got 'x'"),
        (LOW, {"wavelengths_nm": [400, np.nan, 420, 430, 440]}, "positive numbers in nm"),
        (LOW, {"wavelengths_nm": [400, 400, 420, 430, 440]}, "2 bands at 400 nm"),
        (LOW, {"wavelengths_nm": [0.4, 0.5, 0.6, 0.7, 0.8]}, "expected nanometres"),
        (LOW, {"supports": 3}, "supports: ranges"),
        (LOW, {"config": 5}, "config: .* got 5"),
        (LOW, {"config": ""}, "no such configuration"),
        (LOW, {"scale": "4"}, r"scale: .* got '4'"),
        (LOW, {"scale": True}, "scale: .* got True"),
        (LOW, {"scale": 8}, "expected 8 as told, got 4"),
    ],
)
def test_what_does_not_fit_is_one_line(lr_hsi: Any, more: dict[str, Any], fact: str) -> None:
    with pytest.raises(UmsftError, match=fact) as caught:
        fuse(lr_hsi, HIGH, method="bicubic", **more)
    assert "\n" not in str(caught.value)


def test_a_scale_by_division_is_taken() -> None:
    assert fuse(LOW, HIGH, method="bicubic", scale=32 / 8).fused.shape == (32, 48, 5)  # type: ignore[arg-type]


def test_what_is_said_beside_a_config_is_checked_too() -> None:
    config = Config()
    with pytest.raises(UmsftError, match=r"data\.crop"):
        read_scene(config, crop="x")
    with pytest.raises(UmsftError, match="seed"):
        fuse(LOW, HIGH, config=config, method="bicubic", seed="x")
    by_text = fuse(LOW, HIGH, config=config, method="bicubic", seed="3").fused
    np.testing.assert_array_equal(by_text, fuse(LOW, HIGH, method="bicubic", seed=3).fused)


@pytest.mark.parametrize("name", [1j, 5, b"a.npy", [1], [None], {"a": 1}.values()])
def test_names_of_files_that_are_none(name: Any) -> None:
    with pytest.raises(UmsftError, match="lr_hsi: no name of a file"):
        read_pair(name, "a.npy")


def test_the_quick_method_is_the_default() -> None:
    assert fuse(LOW, HIGH).method == fuse(LOW, HIGH, config="fast.yml").method == "subspace"
    with pytest.raises(UmsftError, match="expected method one of umsft, uhntc, got subspace"):
        fuse(LOW, HIGH, iterations=0)
    # An override may name another one still.
    assert fuse(LOW, HIGH, overrides=["method=gsa"]).method == "gsa"


def test_a_gpu_asked_for_in_vain_is_said() -> None:
    notes = fuse(LOW, HIGH, method="gsa", overrides=["runtime.device=gpu"]).notes
    assert [note for note in notes if "runtime.device=gpu" in note and "method gsa computes on the CPU" in note]
    assert not [note for note in fuse(LOW, HIGH, method="gsa").notes if "runtime.device" in note]


def test_counts_beside_reflectance_are_said() -> None:
    for scale in (1e4, 1e-4):
        told = [note for note in fuse(scale * LOW, HIGH, method="gsa").notes if note.startswith("other units")]
        assert len(told) == 1
        assert f"the HSI reaches {np.percentile(scale * LOW, 99):.3g}" in told[0]
    # Twice the exposure is no other unit.
    assert not [note for note in fuse(2 * LOW, HIGH, method="gsa").notes if note.startswith("other units")]


def test_without_paddle_a_trained_method_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from paddle_umsft.machine import paddle_build

    monkeypatch.setattr(paddle_build, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "paddle", raising=False)
    with pytest.raises(UmsftError, match="PaddlePaddle is not installed"):
        fuse(LOW, HIGH, method="umsft")
    with pytest.raises(UmsftError, match="PaddlePaddle is not installed"):
        run("published.yml", ["data.path=demo://dead_leaves"])
    assert parity(["--quick"]) == 2

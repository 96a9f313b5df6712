"""Verdicts: the same checks for every method, images that do not belong together named by all of them."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import spectral.io.envi
from made_up_pairs import SCALE, Pair, made_pair
from train_calls import bicubic_run, train

from paddle_umsft.api import fuse
from paddle_umsft.config.load import load_config
from paddle_umsft.data.masks import without_masked
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.trust import Reason, Verdict
from paddle_umsft.methods.table import METHODS, run_method
from paddle_umsft.runs.trust import save_expected_error, weighed_by_truth
from paddle_umsft.trust.judge import judged

QUICK = {
    "ensemble": ["ensemble.members=1", "ensemble.features=60"],
    "umsft": ["network.width=6", "network.skip=2", "warm_up.iterations=1", "solver.iterations=1"],
    "uhntc": ["uhntc.warm_up.iterations=1", "uhntc.warm_up.joint_iterations=1", "uhntc.iterations=1"],
}
IN_ONE_GO = [name for name, method in METHODS.items() if method.trained is None]
TRAINED = [name for name, method in METHODS.items() if method.trained is not None]
AS_IT_LIES = ["preparation.orientation=false", "preparation.geometry=none"]


def judged_by(method: str, lr_hsi: np.ndarray, hr_msi: np.ndarray, *options: str) -> Verdict:
    config = load_config(None, [f"method={method}", *QUICK.get(method, []), *options])
    observation = Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), SCALE)
    result = run_method(observation, config)
    assert result.verdict is not None
    assert result.notes[0] == result.verdict.line
    return result.verdict


@pytest.fixture(scope="module")
def pair() -> Pair:
    return made_pair()


@pytest.fixture(scope="module")
def stranger(pair: Pair) -> np.ndarray:
    """An MSI of the same cameras, of somewhere else: the pair's own, its four quarters elsewhere and on their heads."""
    height, width = pair.hr_msi.shape[:2]
    moved = np.roll(pair.hr_msi, (height // 2, width // 2), axis=(0, 1))
    return np.ascontiguousarray(moved[::-1])


def check_strangers(method: str, pair: Pair, stranger: np.ndarray) -> None:
    verdict = judged_by(method, pair.lr_hsi, stranger)
    assert verdict.kind == "bad"
    assert verdict.line.startswith("do not trust this: the two images do not belong together (correlation 0.")


@pytest.mark.parametrize("method", IN_ONE_GO)
def test_every_method_names_images_that_do_not_belong_together(method: str, pair: Pair, stranger: np.ndarray) -> None:
    check_strangers(method, pair, stranger)


@pytest.mark.slow
@pytest.mark.parametrize("method", TRAINED)
def test_so_does_every_trained_method(method: str, pair: Pair, stranger: np.ndarray) -> None:
    # Large enough for either network.
    tiled = Pair(*(np.tile(image, (2, 2, 1)) for image in (pair.lr_hsi, pair.hr_msi, pair.truth)))
    check_strangers(method, tiled, np.tile(stranger, (2, 2, 1)))


@pytest.mark.parametrize("method", ["bicubic", "gsa", "subspace"])
def test_mirrored_images_are_found_and_undone_else_named(method: str, pair: Pair) -> None:
    mirrored = np.ascontiguousarray(pair.hr_msi[:, ::-1])
    undone = judged_by(method, pair.lr_hsi, mirrored)
    assert "found and undone: orientation" in undone.line
    assert undone.kind != "bad"
    assert judged_by(method, pair.lr_hsi, mirrored, *AS_IT_LIES).kind == "bad"


def test_a_clean_pair_is_good_and_fuse_is_silent_whatever_was_undone(pair: Pair) -> None:
    assert judged_by("subspace", pair.lr_hsi, pair.hr_msi).kind == "good"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fuse(pair.lr_hsi, np.ascontiguousarray(pair.hr_msi[:, ::-1]), method="gsa")
    assert len(result.notes) > 1


def test_fuse_warns_once_and_with_the_verdict(pair: Pair, stranger: np.ndarray) -> None:
    with pytest.warns(UserWarning, match="do not trust this") as said:
        result = fuse(pair.lr_hsi, stranger, method="gsa")
    assert result.verdict is not None
    assert [str(warning.message) for warning in said] == [result.verdict.line]


def test_interpolation_is_told_from_a_fusion(pair: Pair) -> None:
    assert "hardly better than interpolation" in judged_by("bicubic", pair.lr_hsi, pair.hr_msi).line


def test_infrared_that_the_msi_does_not_see_is_named(pair: Pair) -> None:
    bands = pair.lr_hsi.shape[2]
    supports = ((0, 4), (3, 7), (6, 9))
    observation = Observation(
        lr_hsi=pair.lr_hsi.astype(np.float32),
        hr_msi=np.stack([pair.truth[..., a:b].mean(2) for a, b in supports], axis=2).astype(np.float32),
        scale=SCALE,
        supports=supports,
    )
    result = run_method(observation, load_config(None, ["method=gsa"]))
    assert result.verdict is not None
    assert f"bands 10-{bands - 1} lie outside what the MSI sees" in result.verdict.line
    assert result.verdict.kind == "care"


def test_a_result_of_something_else_is_not_trusted(pair: Pair) -> None:
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    shuffled = np.ascontiguousarray(pair.truth[::-1]).astype(np.float32)
    verdict = judged(FusionResult(shuffled), observation).verdict
    assert verdict is not None
    assert verdict.line.startswith("do not trust this: blurred again, the result gives back only")


def test_the_worst_reason_decides_and_comes_first() -> None:
    reasons = [Reason("good", "a"), Reason("care", "b"), Reason("bad", "c"), Reason("care", "d")]
    verdict = Verdict.of(reasons)
    assert verdict.line == "do not trust this: c; b; d; a"
    assert verdict.storable()["class"] == "bad"
    assert Verdict.of(reasons[:2]).line == "use with care: b; a"
    assert Verdict.of(reasons[:1]).line == "good: a"


def test_a_truth_that_bicubic_is_nearer_to_overrules_the_verdict(pair: Pair) -> None:
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    result = run_method(observation, load_config(None, ["method=gsa"]))
    metrics = {"fused": {"PSNR": 30.0}, "bicubic": {"PSNR": 31.5}}
    worse = weighed_by_truth(replace(result, notes=(*result.notes, "more")), metrics)
    assert worse.verdict is not None
    words = "do not trust this: worse than bicubic against the truth (30.00 dB, bicubic 31.50 dB)"
    assert worse.verdict.line.startswith(words)
    assert worse.notes == (worse.verdict.line, "more")
    assert weighed_by_truth(result, {"fused": {"PSNR": 31.5}, "bicubic": {"PSNR": 31.5}}) is result
    assert weighed_by_truth(result, {}) is result


def test_a_run_says_it_first_and_writes_what_is_asked_for(tmp_path: Path) -> None:
    plain = next((bicubic_run(tmp_path)).glob("*/metrics.json")).parent
    metrics = json.loads((plain / "metrics.json").read_text(encoding="utf-8"))
    assert next(iter(metrics)) == "verdict"
    assert set(metrics["verdict"]) == {"class", "line", "reasons"}
    fused, expected = np.load(plain / "fused.npy"), np.load(plain / "expected_error.npy")
    assert expected.shape == fused.shape
    assert expected.dtype == np.float32
    per_band = np.sqrt(np.mean(expected.astype(np.float64) ** 2, axis=(0, 1)))
    np.testing.assert_allclose(metrics["trust"]["expected_rmse_per_band"], per_band, rtol=1e-3)
    log = (plain / "log.txt").read_text(encoding="utf-8")
    assert f"verdict    {metrics['verdict']['line']}" in log
    assert log.index("verdict") < log.index("convention  ")


def test_the_report_begins_with_the_verdict_and_the_file_can_be_left_out(tmp_path: Path) -> None:
    options = ["-c", "fast.yml", "-o", "data.path=demo://dead_leaves", "data.crop=[0,0,48,56]", "output.trust=false"]
    assert train(*options, "output.visualdl=false", "--output", str(tmp_path)) == 0
    folder = tmp_path / "fast" / "dead_leaves"
    assert not (folder / "expected_error.npy").exists()
    assert (folder / "expected_error.png").is_file()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.index('class="verdict') < page.index("<section")


def test_beside_a_product_lies_the_expected_error_of_it(pair: Pair, tmp_path: Path) -> None:
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    result = run_method(observation, load_config(None, ["method=bicubic"]))
    save_expected_error(tmp_path, observation, result, "envi")
    cube = np.load(tmp_path / "expected_error.npy")
    header = next(tmp_path.glob("expected_error*.hdr"))
    read = np.asarray(spectral.io.envi.open(header).load())
    np.testing.assert_allclose(read, cube, rtol=1e-6)


def test_a_result_that_nobody_judged_has_no_verdict() -> None:
    assert FusionResult(np.zeros((2, 2, 1), np.float32)).verdict is None


@pytest.mark.parametrize("image", ["hsi", "msi"])
def test_what_was_filled_under_a_mask_says_nothing_of_whether_images_belong_together(image: str, pair: Pair) -> None:
    lr_hsi, hr_msi = pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32)
    rows = len(lr_hsi) * 3 // 4
    mask_hsi, mask_msi = np.ones(lr_hsi.shape[:2], dtype=bool), np.ones(hr_msi.shape[:2], dtype=bool)
    if image == "hsi":
        mask_hsi[:rows] = False
    else:
        mask_msi[: rows * SCALE] = False
    seen = without_masked(Observation(lr_hsi, hr_msi, SCALE, mask_hsi=mask_hsi, mask_msi=mask_msi))
    # Of a result by strips, hardly any LR pixel is left where blocks of its sample end.
    held_out = np.full(lr_hsi.shape, np.nan, dtype=np.float32)
    held_out[-4] = 0.01
    result = FusionResult(
        fused=pair.truth.astype(np.float32),
        psf=None,
        srf=None,
        history=[],
        method="strips",
        held_out=held_out,
    )
    verdict = judged(result, seen).verdict
    assert verdict is not None
    assert "the images agree" in verdict.line or "the images share" in verdict.line


def test_of_so_few_rows_that_all_see_others_the_verdict_is_told_of_all(pair: Pair) -> None:
    lr_hsi, hr_msi = pair.lr_hsi[:5].astype(np.float32), pair.hr_msi[: 5 * SCALE].astype(np.float32)
    seen = Observation(lr_hsi, hr_msi, SCALE, mask_hsi=np.zeros(lr_hsi.shape[:2], dtype=bool))
    fused = pair.truth[: 5 * SCALE].astype(np.float32)
    result = FusionResult(fused=fused, psf=None, srf=None, history=[], method="gsa")
    verdict = judged(result, seen).verdict
    assert verdict is not None
    assert verdict.kind != "bad"

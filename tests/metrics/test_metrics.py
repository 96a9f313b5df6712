"""Metrics: tiny examples by hand, properties, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.metrics import CONVENTIONS, band_uiqi, consistency, evaluate, evaluate_bands, q2n, qnr
from paddle_umsft.metrics.figures import MEASURES, number_of, title_of, words_of
from paddle_umsft.metrics.summary import mean_over_scenes, mean_words, means_over_scenes


def _pair(noise: float, shape: tuple[int, int, int] = (48, 40, 5)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.1, 1.0, shape)
    return truth, truth + noise * rng.standard_normal(shape)


def test_author_by_hand() -> None:
    """Two pixels of two bands, worked out on paper."""
    truth = np.array([[[0.2, 0.4], [0.6, 0.8]]])
    fused = np.array([[[0.3, 0.4], [0.6, 0.6]]])
    got = evaluate(truth, fused, scale=2)
    # MSE per band: 0.01/2 = 0.005 and 0.04/2 = 0.02.
    assert got["PSNR"] == pytest.approx((10 * math.log10(1 / 0.005) + 10 * math.log10(1 / 0.02)) / 2)
    assert got["RMSE"] == pytest.approx(255 * math.sqrt(0.0125))
    # Means of the reference: 0.4 and 0.6.
    assert got["ERGAS"] == pytest.approx(50 * math.sqrt((0.005 / 0.16 + 0.02 / 0.36) / 2))
    first = math.acos(0.22 / (math.sqrt(0.20) * 0.5))
    second = math.acos(0.84 / (1.0 * math.sqrt(0.72)))
    assert got["SAM"] == pytest.approx(math.degrees((first + second) / 2))
    assert got["CC"] == pytest.approx(1.0)


def test_keys_of_each_convention() -> None:
    truth, fused = _pair(0.1)
    assert list(evaluate(truth, fused, scale=4)) == ["PSNR", "SAM", "ERGAS", "SSIM", "RMSE", "CC"]
    assert list(evaluate(truth, fused, scale=4, convention="dian")) == [
        "PSNR", "SAM", "ERGAS", "SSIM", "RMSE", "UIQI", "DD", "CC",
    ]  # fmt: skip
    assert list(evaluate(truth, fused, scale=4, convention="yokoya")) == ["PSNR", "SAM", "ERGAS", "Q2n"]


@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_perfect_and_worse(convention: str) -> None:
    truth, _ = _pair(0.0)
    best = evaluate(truth, truth, scale=4, convention=convention)
    perfect = {"PSNR": math.inf, "SAM": 0, "ERGAS": 0, "SSIM": 1, "RMSE": 0, "UIQI": 1, "DD": 0, "CC": 1, "Q2n": 1}
    for key, value in best.items():
        assert value == pytest.approx(perfect[key], abs=1e-5), key
    rows = [evaluate(truth, _pair(noise)[1], scale=4, convention=convention) for noise in (0.01, 0.05, 0.2)]
    for key in best:
        series = [row[key] for row in rows]
        assert series == sorted(series, reverse=bool(MEASURES[key].higher_is_better)), key


@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_counts_are_measured_as_the_values_that_they_stand_for(convention: str) -> None:
    """12-bit counts give the figures of the same numbers divided by the truth's maximum."""
    truth, fused = (np.clip(np.round(4095 * cube), 0, None).astype(np.uint16) for cube in _pair(0.02))
    largest = truth.max()
    wanted = evaluate(truth / largest, fused / largest, scale=4, convention=convention)
    for estimate in (fused, fused.astype(np.float32), fused.astype(np.int32)):
        assert evaluate(truth, estimate, scale=4, convention=convention) == pytest.approx(wanted)
    shown = evaluate_bands(truth, fused, convention=convention)
    for name, values in evaluate_bands(truth / largest, fused / largest, convention=convention).items():
        np.testing.assert_allclose(shown[name], values, rtol=1e-9)
    few = (truth > 2000).astype(np.uint8)  # whole numbers up to 1 are values already
    assert evaluate(few, fused / largest, scale=4) == evaluate(few.astype(float), fused / largest, scale=4)


def test_an_unknown_convention_names_the_nearest() -> None:
    truth, fused = _pair(0.1)
    with pytest.raises(ConfigError, match=r"convention: unknown convention, .* got 'yokoja'; did you mean yokoya\?"):
        evaluate(truth, fused, scale=4, convention="yokoja")


def test_every_figure_has_its_measure() -> None:
    """What is measured is listed, and of what is measured without a truth the direction holds too."""
    truth, fused = _pair(0.05)
    low, msi = truth.reshape(12, 4, 10, 4, 5).mean(axis=(1, 3)), truth[:, :, :2]
    found = {**qnr(truth, low, msi, scale=4), **consistency(low, msi, degraded_hsi=low, degraded_msi=msi)}
    worse = qnr(fused, low, msi, scale=4)
    worse.update(consistency(low, msi, degraded_hsi=low + _pair(0.1)[1][:12, :10], degraded_msi=fused[:, :, 1:3]))
    for name in found:
        assert (found[name] > worse[name]) == MEASURES[name].higher_is_better, name
    for convention in CONVENTIONS:
        found.update(evaluate(truth, fused, scale=4, convention=convention))
    assert set(MEASURES) == {*found, "seconds"}


def test_figures_in_words() -> None:
    assert title_of("PSNR") == "PSNR (dB)"
    assert title_of("ERGAS") == "ERGAS"
    assert title_of("of_nobody") == "of_nobody"
    assert words_of("PSNR", 40.126) == "PSNR 40.13 dB"
    assert words_of("SAM", 1.234) == "SAM 1.23°"  # a sign stands at its number
    assert words_of("RMSE", 2.0, digits=2) == "RMSE 2.00"
    assert [number_of("PSNR", value) for value in (None, math.nan, math.inf)] == ["–", "–", "∞"]


def test_means_over_scenes() -> None:
    """By hand: 1, 2, 4 have the mean 7/3 and the sample variance 7/3; what is no finite number does not count."""
    rows = [{"a": 1.0, "b": "word", "c": None}, {"a": 2, "b": "", "d": 5.0}, {"a": 4.0, "d": math.inf}, {"a": math.nan}]
    means = means_over_scenes(rows)
    assert list(means) == ["a", "d"]
    assert means["a"].mean == pytest.approx(7 / 3)
    assert means["a"].std == pytest.approx(math.sqrt(7 / 3))
    assert means["a"].count == 3
    assert means["d"].std is None
    assert mean_over_scenes([None, math.inf]) is None
    assert mean_words("ERGAS", means["a"], 3) == "2.333 ± 1.528"
    assert mean_words("ERGAS", means["a"], 4) == "2.333 ± 1.528 (of 3)"
    assert mean_words("ERGAS", means["d"], 1) == "5.000"
    assert mean_words("ERGAS", None, 4) == "–"


@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_bands_average_to_the_whole(convention: str) -> None:
    truth, fused = _pair(0.1)
    whole = evaluate(truth, fused, scale=4, convention=convention)
    for key, values in evaluate_bands(truth, fused, convention=convention).items():
        assert values.shape == (5,)
        mean = math.sqrt(np.mean(values**2)) if key == "RMSE" else values.mean()
        assert mean == pytest.approx(whole[key]), key


def test_peaks_differ_between_conventions() -> None:
    """A scene at half brightness: peak 1 and 255 agree, the band's own maximum is 20·log10(2) below."""
    truth, fused = _pair(0.01)
    truth[0, 0] = 1.0
    rows = {name: evaluate(truth / 2, fused / 2, scale=4, convention=name)["PSNR"] for name in CONVENTIONS}
    assert rows["author"] == pytest.approx(rows["dian"])
    assert rows["author"] - rows["yokoya"] == pytest.approx(20 * math.log10(2))


def test_black_pixels() -> None:
    """`author` and `yokoya` leave them out of SAM, `dian` counts a right angle."""
    truth, fused = _pair(0.0)
    truth[0, 0] = 0.0
    fused[0, 1] = 0.0
    pixels = truth.shape[0] * truth.shape[1]
    assert evaluate(truth, fused, scale=4)["SAM"] == pytest.approx(0.0, abs=1e-5)
    assert evaluate(truth, fused, scale=4, convention="dian")["SAM"] == pytest.approx(2 * 90 / pixels, rel=1e-3)
    assert math.isnan(evaluate(np.zeros((16, 16, 3)), np.zeros((16, 16, 3)), scale=4)["SAM"])


def test_dead_band_spoils_nothing() -> None:
    truth, fused = _pair(0.05)
    truth[:, :, 2] = 0.0
    for convention in CONVENTIONS:
        got = evaluate(truth, fused, scale=4, convention=convention)
        if convention == "yokoya":
            # The dead band's peak is zero: minus infinity decibels would be the mean's end.
            assert math.isfinite(got["PSNR"])
        assert all(math.isfinite(value) for value in got.values()), (convention, got)


def test_float32_and_integers_are_measured_in_float64() -> None:
    truth, fused = _pair(0.1)
    exact = evaluate(truth.astype(np.float32).astype(np.float64), fused.astype(np.float32).astype(np.float64), scale=4)
    assert evaluate(truth.astype(np.float32), fused.astype(np.float32), scale=4) == exact
    assert evaluate(np.ones((4, 4, 2), np.uint8), np.ones((4, 4, 2), bool), scale=4)["RMSE"] == 0


def test_uiqi_of_brighter_image() -> None:
    """Q(x, g·x) = 4g²/(1 + g²)² for any image: closed form."""
    truth, _ = _pair(0.0)
    np.testing.assert_allclose(band_uiqi(truth, 1.5 * truth), 4 * 2.25 / 3.25**2, rtol=1e-9)
    np.testing.assert_allclose(band_uiqi(truth[:9, :7], 1.5 * truth[:9, :7]), 4 * 2.25 / 3.25**2, rtol=1e-9)


def test_flat_windows() -> None:
    flat = np.full((40, 40, 3), 0.3)
    np.testing.assert_allclose(band_uiqi(flat, 2 * flat), 0.8)  # only the means differ: 2·2/(1 + 4)
    np.testing.assert_allclose(band_uiqi(np.zeros_like(flat), np.zeros_like(flat)), 1.0)
    assert q2n(flat, flat) == pytest.approx(1.0)


def test_qnr_of_what_keeps_all_relations() -> None:
    """Every band a multiple of one image, at both resolutions: nothing about the relations changes."""
    rng = np.random.default_rng(1)
    image = rng.uniform(0.2, 1.0, (64, 32, 1))
    weights = np.array([0.3, 0.6, 1.0])
    fused = image * weights
    low = fused.reshape(16, 4, 8, 4, 3).mean(axis=(1, 3))
    got = qnr(fused, low, image, scale=4)
    assert got["QNR"] == pytest.approx(1.0, abs=1e-9)
    worse = qnr(np.clip(fused + 0.2 * rng.standard_normal(fused.shape), 0, None), low, image, scale=4)
    assert worse["QNR"] < 0.9
    assert worse["D_lambda"] > 0.01
    assert worse["D_s"] > 0.01


def test_consistency() -> None:
    low, msi = _pair(0.0, (8, 6, 5))[0], _pair(0.0, (32, 24, 3))[0]
    got = consistency(low, msi, degraded_hsi=low + 0.1, degraded_msi=2 * msi)
    assert got["PSNR_HSI"] == pytest.approx(20.0)
    assert got["SAM_MSI"] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, f: (t, f[:-1]), "fused: shape differs from the reference, expected .48, 40, 5., got .47, 40, 5."),
        (lambda t, f: (t[:, :, 0], f), "reference: not a cube"),
        (lambda t, f: (t[:0], f[:0]), "reference: not a cube"),
        (lambda t, f: (t, f.astype(complex)), "fused: not real numbers, got dtype complex128"),
        (lambda t, f: (t, f.astype(str)), "fused: not real numbers"),
        (lambda t, f: (t, np.where(f == f[3, 2, 1], np.nan, f)), r"NaN or infinity, got 1 .* \(3, 2, 1\)"),
        (lambda t, f: (np.where(t == t[0, 0, 0], np.inf, t), f), "reference: NaN or infinity"),
        (lambda t, f: (t, np.where(f == f[3, 2, 1], -1e300, f)), "fused: values too large .* got largest 1e.300"),
    ],
)
@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_bad_cubes(change: object, message: str, convention: str) -> None:
    truth, fused = change(*_pair(0.1))  # type: ignore[operator]
    with pytest.raises(DataError, match=message) as caught:
        evaluate(truth, fused, scale=4, convention=convention)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scale", [0, -4, math.nan, math.inf])
def test_bad_scale(scale: float) -> None:
    truth, fused = _pair(0.1)
    with pytest.raises(DataError, match="scale"):
        evaluate(truth, fused, scale=scale)


def test_other_bad_input() -> None:
    truth, fused = _pair(0.1)
    with pytest.raises(ConfigError, match="unknown convention, expected one of author"):
        evaluate(truth, fused, scale=4, convention="matlab")
    with pytest.raises(DataError, match="11×11"):
        evaluate(truth[:10], fused[:10], scale=4, convention="dian")
    with pytest.raises(DataError, match="lr_hsi"):
        qnr(fused, truth[::5, ::5], truth[:, :, :2], scale=4)
    with pytest.raises(DataError, match="hr_msi"):
        qnr(fused, truth[::4, ::4], truth[1:, :, :2], scale=4)

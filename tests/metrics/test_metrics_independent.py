"""Every metric against an independent program, or against its definition written out pixel by pixel.

`python tests/metrics/test_metrics_independent.py` prints the table of docs/metrics.md.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from paddle_umsft.metrics import band_uiqi, evaluate, q2n, qnr
from paddle_umsft.metrics.common import mean_correlation

SCALE = 4


def made_up_pair() -> tuple[np.ndarray, np.ndarray]:
    """A smooth positive scene of 64×96×7 in [0, 1] and a noisy estimate of it; no pixel is black."""
    rng = np.random.default_rng(20240)
    rows, columns = np.mgrid[0:64, 0:96] / 32.0
    bands = [
        0.5 + 0.2 * np.sin(a * rows + b * columns + c) + 0.2 * np.cos(3 * c * rows * columns / 4)
        for a, b, c in rng.uniform(-3, 3, (7, 3))
    ]
    truth = np.clip(np.stack(bands, axis=2), 0.02, 1.0)
    return truth, np.clip(truth + rng.normal(0, 0.03, truth.shape), 0.01, 1.0)


TRUTH, ESTIMATE = made_up_pair()


def _imgvision(name: str) -> float:
    from imgvision import spectra_metric

    # Its second argument is the one ERGAS divides by.
    return float(getattr(spectra_metric(ESTIMATE, TRUTH, max_v=1, scale=SCALE), name)())


def _skimage_psnr(peaks: np.ndarray) -> float:
    from skimage.metrics import peak_signal_noise_ratio as psnr

    return float(np.mean([psnr(TRUTH[:, :, b], ESTIMATE[:, :, b], data_range=peaks[b]) for b in range(7)]))


def _sewar(name: str, *args: object) -> float:
    import sewar.full_ref

    return float(getattr(sewar.full_ref, name)(TRUTH, ESTIMATE, *args))


def _torchmetrics(name: str, **options: object) -> float:
    import torch
    import torchmetrics.functional.image as functional

    truth, estimate = (torch.from_numpy(c.transpose(2, 0, 1)[None].copy()) for c in (TRUTH, ESTIMATE))
    return float(getattr(functional, name)(estimate, truth, **options))


def _ssim_with(window: int) -> float:
    """scikit-image's SSIM without its constants is UIQI; the window is odd there."""
    from skimage.metrics import structural_similarity

    options = {"win_size": window, "K1": 0.0, "K2": 0.0, "data_range": 1.0, "use_sample_covariance": False}
    return float(structural_similarity(TRUTH, ESTIMATE, channel_axis=2, **options))


def _cv2_ssim() -> float:
    """Wang's SSIM put together from OpenCV's filter, on 0–255."""
    import cv2

    def blurred(image: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5))[5:-5, 5:-5]

    c1, c2, values = 6.5025, 58.5225, []
    for band in range(7):
        a, b = 255.0 * TRUTH[:, :, band], 255.0 * ESTIMATE[:, :, band]
        mean_a, mean_b = blurred(a), blurred(b)
        var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
        covariance = blurred(a * b) - mean_a * mean_b
        luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        values.append((luminance * (2 * covariance + c2) / (var_a + var_b + c2)).mean())
    return float(np.mean(values))


def _scipy_correlation() -> float:
    from scipy.stats import pearsonr

    return float(np.mean([pearsonr(TRUTH[:, :, b].ravel(), ESTIMATE[:, :, b].ravel())[0] for b in range(7)]))


def _corrcoef_uiqi() -> float:
    """Q of windows written out: correlation × closeness of means × closeness of contrasts (Wang and Bovik, eq. 2)."""
    values = []
    for i, j in itertools.product(range(64 - 31), range(96 - 31)):
        a, b = TRUTH[i : i + 32, j : j + 32, 3].ravel(), ESTIMATE[i : i + 32, j : j + 32, 3].ravel()
        means = 2 * a.mean() * b.mean() / (a.mean() ** 2 + b.mean() ** 2)
        contrasts = 2 * a.std() * b.std() / (a.var() + b.var())
        values.append(np.corrcoef(a, b)[0, 1] * means * contrasts)
    return float(np.mean(values))


def _one_q(a: np.ndarray, b: np.ndarray) -> float:
    cov = np.cov(a.ravel(), b.ravel(), bias=True)
    means = a.mean() * b.mean() / (a.mean() ** 2 + b.mean() ** 2)
    return float(4 * cov[0, 1] * means / (cov[0, 0] + cov[1, 1]))


def _written_out_qnr(part: str) -> float:
    """D_lambda and D_s band pair by band pair, on the 2×3 blocks of 32×32 (8×8 at low resolution)."""
    low, msi = _observed()
    low_msi = msi.reshape(16, 4, 24, 4, 2).mean(axis=(1, 3))

    def quality(cube: np.ndarray, other: np.ndarray, left: int, right: int, side: int) -> float:
        values = []
        for i, j in itertools.product(range(0, cube.shape[0], side), range(0, cube.shape[1], side)):
            values.append(_one_q(cube[i : i + side, j : j + side, left], other[i : i + side, j : j + side, right]))
        return float(np.mean(values))

    if part == "D_lambda":
        pairs = itertools.combinations(range(7), 2)
        return float(
            np.mean([abs(quality(ESTIMATE, ESTIMATE, a, b, 32) - quality(low, low, a, b, 8)) for a, b in pairs])
        )
    total = []
    for band in range(7):
        partner = int(np.argmax([np.corrcoef(low[:, :, band].ravel(), low_msi[:, :, m].ravel())[0, 1] for m in (0, 1)]))
        total.append(abs(quality(ESTIMATE, msi, band, partner, 32) - quality(low, low_msi, band, partner, 8)))
    return float(np.mean(total))


def _observed() -> tuple[np.ndarray, np.ndarray]:
    msi = np.stack([TRUTH[:, :, :4].mean(axis=2), TRUTH[:, :, 3:].mean(axis=2)], axis=2)
    return TRUTH.reshape(16, 4, 24, 4, 7).mean(axis=(1, 3)), msi


def _ours(key: str, convention: str) -> Callable[[], float]:
    return lambda: evaluate(TRUTH, ESTIMATE, scale=SCALE, convention=convention)[key]


def _qnr(key: str) -> Callable[[], float]:
    return lambda: qnr(ESTIMATE, *_observed(), scale=SCALE)[key]


# convention, metric, ours, name of the independent program, package it needs, its value
Comparison = tuple[str, str, Callable[[], float], str, str, Callable[[], float]]
COMPARISONS: tuple[Comparison, ...] = (
    ("author", "PSNR", _ours("PSNR", "author"), "imgvision", "imgvision", lambda: _imgvision("PSNR")),
    ("author", "PSNR", _ours("PSNR", "author"), "scikit-image", "skimage", lambda: _skimage_psnr(np.ones(7))),
    ("author", "SAM", _ours("SAM", "author"), "imgvision", "imgvision", lambda: _imgvision("SAM")),
    ("author", "SAM", _ours("SAM", "author"), "sewar, in degrees", "sewar", lambda: math.degrees(_sewar("sam"))),
    ("author", "ERGAS", _ours("ERGAS", "author"), "imgvision", "imgvision", lambda: _imgvision("ERGAS")),
    ("author", "ERGAS", _ours("ERGAS", "author"), "sewar, r = 1/s", "sewar", lambda: _sewar("ergas", 1 / SCALE)),
    ("author", "SSIM", _ours("SSIM", "author"), "imgvision", "imgvision", lambda: _imgvision("SSIM")),
    ("author", "RMSE", _ours("RMSE", "author"), "imgvision", "imgvision", lambda: 255 * math.sqrt(_imgvision("MSE"))),
    ("author", "RMSE", _ours("RMSE", "author"), "sewar, × 255", "sewar", lambda: 255 * _sewar("rmse")),
    ("author", "CC", _ours("CC", "author"), "SciPy pearsonr", "scipy", _scipy_correlation),
    ("dian", "PSNR", _ours("PSNR", "dian"), "scikit-image", "skimage", lambda: _skimage_psnr(np.ones(7))),
    ("dian", "SAM", _ours("SAM", "dian"), "torchmetrics", "torchmetrics",
     lambda: math.degrees(_torchmetrics("spectral_angle_mapper"))),
    ("dian", "ERGAS", _ours("ERGAS", "dian"), "torchmetrics, ratio = 1, ÷ s", "torchmetrics",
     # Its older releases multiply by `ratio`, 1.9 divides by it: at 1 they agree.
     lambda: _torchmetrics("error_relative_global_dimensionless_synthesis", ratio=1) / SCALE),
    ("dian", "SSIM", _ours("SSIM", "dian"), "from OpenCV's GaussianBlur", "cv2", _cv2_ssim),
    ("dian", "RMSE", _ours("RMSE", "dian"), "sewar, × 255", "sewar", lambda: 255 * _sewar("rmse")),
    ("dian", "UIQI, windows of 31", lambda: float(band_uiqi(TRUTH, ESTIMATE, block=31).mean()),
     "scikit-image SSIM, K1 = K2 = 0", "skimage", lambda: _ssim_with(31)),
    ("dian", "UIQI of band 4", lambda: float(band_uiqi(TRUTH, ESTIMATE)[3]), "definition written out", "numpy",
     _corrcoef_uiqi),
    ("dian", "DD", _ours("DD", "dian"), "definition, math.fsum", "numpy",
     lambda: 255 * math.fsum(abs(TRUTH - ESTIMATE).ravel()) / TRUTH.size),
    ("dian", "CC", _ours("CC", "dian"), "SciPy pearsonr", "scipy", _scipy_correlation),
    ("yokoya", "PSNR", _ours("PSNR", "yokoya"), "scikit-image", "skimage",
     lambda: _skimage_psnr(TRUTH.max(axis=(0, 1)))),
    ("yokoya", "SAM", _ours("SAM", "yokoya"), "sewar, in degrees", "sewar", lambda: math.degrees(_sewar("sam"))),
    ("yokoya", "ERGAS", _ours("ERGAS", "yokoya"), "sewar, r = 1/s", "sewar", lambda: _sewar("ergas", 1 / SCALE)),
    ("yokoya", "Q2n", _ours("Q2n", "yokoya"), "sewar", "sewar", lambda: _sewar("q2n")),
    ("–", "D_lambda", _qnr("D_lambda"), "definition written out", "numpy", lambda: _written_out_qnr("D_lambda")),
    ("–", "D_s", _qnr("D_s"), "definition written out", "numpy", lambda: _written_out_qnr("D_s")),
)  # fmt: skip


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: f"{c[0]}-{c[1]}-{c[3]}".replace(" ", "_"))
def test_agrees_with_an_independent_program(comparison: Comparison) -> None:
    _, _, ours, _, package, theirs = comparison
    pytest.importorskip(package)
    # torchmetrics and imgvision sum in another order; scikit-image's filters round more.
    assert ours() == pytest.approx(theirs(), rel=1e-9)


@pytest.mark.parametrize("shape", [(32, 64, 1), (64, 64, 2), (33, 70, 5), (40, 40, 8), (64, 32, 31)])
def test_q2n_with_other_band_counts(shape: tuple[int, int, int]) -> None:
    sewar = pytest.importorskip("sewar.full_ref")
    rng = np.random.default_rng(shape[2])
    truth = rng.uniform(0.1, 1.0, shape)
    estimate = truth + rng.normal(0, 0.2, shape)
    assert q2n(truth, estimate) == pytest.approx(sewar.q2n(truth, estimate), rel=1e-9)


def test_q2n_of_one_band_is_uiqi() -> None:
    """For real numbers the hypercomplex index is Wang and Bovik's, after bringing the reference to mean 1, spread 1."""
    rng = np.random.default_rng(0)
    truth = rng.normal(1.0, 1.0, (32, 32, 1))
    truth = (truth - truth.mean()) / truth.std(ddof=1) + 1.0
    estimate = 0.8 * truth + rng.normal(0.2, 0.3, truth.shape)
    assert q2n(truth, estimate) == pytest.approx(abs(_one_q(truth, estimate)), rel=1e-9)


def test_correlation_of_a_constant_band_is_left_out() -> None:
    truth = TRUTH.copy()
    truth[:, :, 0] = 0.5
    expected = np.mean([np.corrcoef(truth[:, :, b].ravel(), ESTIMATE[:, :, b].ravel())[0, 1] for b in range(1, 7)])
    assert mean_correlation(truth, ESTIMATE) == pytest.approx(expected, rel=1e-9)


def _table() -> str:
    lines = [
        "| convention | metric | here | independent value | by | relative difference |",
        "|---|---|---|---|---|---|",
    ]
    for convention, metric, ours, program, package, theirs in COMPARISONS:
        value = ours()
        if importlib.util.find_spec(package) is None:
            lines.append(f"| {convention} | {metric} | {value:.10g} | not installed | {program} | – |")
            continue
        other = theirs()
        lines.append(
            f"| {convention} | {metric} | {value:.10g} | {other:.10g} | {program} | {abs(value / other - 1):.0e} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(_table())

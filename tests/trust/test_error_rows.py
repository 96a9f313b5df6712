"""The expected error a few rows at a time: as of the whole, without a seam."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.trust.error_rows import ErrorRows, SceneRows
from paddle_umsft.trust.judge import Examined, judged_with_levels

H_LR, W_LR, BANDS = 11, 9, 6


def scene(scale: int, border: str, *, held_out: bool, masked: bool) -> tuple[FusionResult, Observation, Examined]:
    """A pair and a cube that errs: blurred by FFT or by sums over a padded picture, nothing of it is solved for."""
    rng = np.random.default_rng(scale)
    height, width = H_LR * scale, W_LR * scale
    rows, columns = np.mgrid[:height, :width]
    shapes = [
        np.sin(rows / (5 + k)) * np.cos(columns / (3 + k)) + (rows // 9 + columns // (7 + k)) % 2 for k in range(3)
    ]
    mixes = rng.uniform(0.1, 1, (3, BANDS))
    truth = 2 + np.stack(shapes, axis=2) @ mixes
    taps = np.ones(2 * scale + 1) / (2 * scale + 1)
    padded = np.pad(truth, ((scale, scale), (scale, scale), (0, 0)), mode="wrap" if border == "wrap" else "symmetric")
    start = (scale - 1) // 2
    lr_rows = sum(t * padded[start + i : start + i + height : scale] for i, t in enumerate(taps))
    lr_hsi = sum(t * lr_rows[:, start + i : start + i + width : scale] for i, t in enumerate(taps))
    lr_hsi = lr_hsi + 0.01 * rng.standard_normal(lr_hsi.shape)
    srf = np.kron(np.eye(2), np.full(3, 1 / 3))
    hr_msi = truth @ srf.T + 0.01 * rng.standard_normal((height, width, 2))
    fused = truth + 0.05 * rng.standard_normal(truth.shape) * shapes[0][:, :, None]
    left = 0.1 * rng.standard_normal(lr_hsi.shape)
    left[4, 5] = np.nan
    masks = {}
    if masked:
        mask = np.ones((height, width), dtype=bool)
        mask[3 * scale : 5 * scale, : 2 * scale] = False
        masks = {"mask_msi": mask, "mask_hsi": np.ascontiguousarray(mask[::scale, ::scale])}
    pair = Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), scale, **masks)
    result = FusionResult(
        fused=fused.astype(np.float32),
        psf=np.outer(taps, taps),
        srf=srf,
        method="made up",
        held_out=left.astype(np.float32) if held_out else None,
    )
    return result, pair, Examined(psf=result.psf, srf=srf, border=border)


def rows_of(result: FusionResult, pair: Observation, border: str) -> SceneRows:
    trusted = np.ones((H_LR, W_LR), dtype=bool)
    doubted = None
    if pair.mask_hsi is not None and pair.mask_msi is not None:
        trusted = pair.mask_hsi.copy()
        doubted = (~pair.mask_msi).astype(np.float32)
    held_out = result.held_out
    if held_out is not None:
        trusted &= np.isfinite(held_out).all(axis=2)
    return SceneRows(
        operator=SpatialDegradation(result.psf, pair.scale, border),
        shape=pair.shape,
        fused=lambda rows: result.fused[rows],
        hr_msi=lambda rows: pair.hr_msi[rows],
        lr_hsi=lambda rows: pair.lr_hsi[rows],
        held_out=None if held_out is None else lambda rows: held_out[rows].copy(),
        trusted=trusted,
        doubted=doubted,
    )


@pytest.mark.parametrize(
    ("scale", "border", "held_out", "masked"),
    [(4, "reflect", True, False), (3, "wrap", False, True), (2, "reflect", True, True), (5, "nearest", False, False)],
)
def test_rows_are_those_of_the_whole(scale: int, border: str, held_out: bool, masked: bool) -> None:
    result, pair, examined = scene(scale, border, held_out=held_out, masked=masked)
    judged, levels = judged_with_levels(result, pair, examined)
    assert judged.trust is not None
    whole = judged.trust.expected.cube()
    errors = ErrorRows(rows_of(result, pair, border), levels)
    for step in (1, 3, H_LR):
        parts = [errors.of(first, min(first + step, H_LR)) for first in range(0, H_LR, step)]
        # What a running mean over the picture rounds otherwise in a window: float32.
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=2e-5)


def test_rows_that_are_told_alone_meet_without_a_seam() -> None:
    """What differs from the whole is no larger where rows meet than elsewhere, with levels of other rows, too."""
    result, pair, examined = scene(4, "reflect", held_out=True, masked=False)
    half = Observation(pair.lr_hsi[:6], pair.hr_msi[:24], 4)
    held_out = result.held_out
    assert held_out is not None
    part = FusionResult(result.fused[:24], psf=result.psf, srf=result.srf, method="half", held_out=held_out[:6])
    _, levels = judged_with_levels(part, half, examined)
    judged, _ = judged_with_levels(result, pair, examined)
    assert judged.trust is not None
    errors = ErrorRows(rows_of(result, pair, "reflect"), levels)
    cube = np.concatenate([errors.of(first, first + 1) for first in range(H_LR)])
    apart = np.log(cube / judged.trust.expected.cube())
    steps = np.abs(np.diff(apart, axis=0)).mean(axis=(1, 2))
    meets = np.arange(1, len(steps) + 1) % 4 == 0
    assert steps[meets].mean() < 1.5 * steps[~meets].mean() + 0.01
    # Levels from half of the scene: the same to some per cent.
    assert abs(apart.mean()) < 0.15


def test_lr_pixels_that_the_method_was_not_fitted_on_are_as_usual_ones() -> None:
    result, pair, examined = scene(4, "reflect", held_out=True, masked=False)
    _, levels = judged_with_levels(result, pair, examined)
    rows = rows_of(result, pair, "reflect")
    rows.trusted[4, 5] = True
    found = ErrorRows(rows, levels)._evidence(4, 5)
    assert found.held_out is not None
    np.testing.assert_allclose(found.held_out[0, 5], np.sqrt(levels.usual.around), rtol=1e-6)
    assert not found.lost.any()

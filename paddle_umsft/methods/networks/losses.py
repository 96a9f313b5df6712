"""The terms that the method minimises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

import paddle
import paddle.nn.functional as F

from paddle_umsft.methods.networks.srf_layers import apply_response

_LEAST_MSE = 1e-30  # -300 dB, far below what float32 images can agree to unless they are equal


def negative_psnr(estimate: paddle.Tensor, target: paddle.Tensor) -> paddle.Tensor:
    """Minus the PSNR in dB for values up to 1, mean over the bands of (B, C, H, W).

    A band that agrees exactly (one without any light, say) has nothing to teach, and no gradient.
    """
    difference = estimate - target
    squares = difference**2
    mse = squares.mean(axis=[2, 3])  # (B, C)
    mse = paddle.clip(mse, min=_LEAST_MSE)
    log_mse = paddle.log10(mse)
    return 10.0 * log_mse.mean()


def subspace_msi(
    response: paddle.Tensor,
    basis: paddle.Tensor,
    coeffs: paddle.Tensor,
    height: int,
    width: int,
) -> paddle.Tensor:
    """The low-resolution MSI seen through the spectral subspace.

    Args:
        response: SRF, (M, C).
        basis: (C, K).
        coeffs: (K, h*w).
        height: h.
        width: w.

    Returns:
        (1, M, h, w).
    """
    seen_basis = paddle.matmul(response, basis)  # (M, K): far fewer products than with the cube itself
    seen = paddle.matmul(seen_basis, coeffs)  # (M, h·w)
    return seen.reshape([1, -1, height, width])


def degradation_terms(
    lr_msi: paddle.Tensor,
    response: paddle.Tensor,
    lr_hsi: paddle.Tensor,
    basis: paddle.Tensor,
    coeffs: paddle.Tensor,
) -> dict[str, paddle.Tensor]:
    """Both losses of step 3: the blurred MSI against the LR-HSI's MSI, through the subspace and in full.

    Args:
        lr_msi: PSF(hr_msi), (1, M, h, w).
        response: SRF, (M, C).
        lr_hsi: (1, C, h, w).
        basis: (C, K).
        coeffs: (K, h*w).
    """
    height, width = lr_hsi.shape[2:]
    through_subspace = subspace_msi(response, basis, coeffs, height, width)
    in_full = apply_response(response, lr_hsi)
    return {
        "subspace": F.l1_loss(lr_msi, through_subspace),
        "degradation": F.l1_loss(lr_msi, in_full),
    }


def observation_terms(
    seen_hsi: paddle.Tensor,
    lr_hsi: paddle.Tensor,
    seen_msi: paddle.Tensor,
    hr_msi: paddle.Tensor,
) -> dict[str, paddle.Tensor]:
    """How far the degraded estimate is from what the two cameras saw (L1)."""
    return {
        "hsi": F.l1_loss(seen_hsi, lr_hsi),
        "msi": F.l1_loss(seen_msi, hr_msi),
    }


def band_difference(fused: paddle.Tensor) -> paddle.Tensor:
    """Mean |difference of neighbouring bands| of (B, C, H, W); zero where there is one band only."""
    if fused.shape[1] < 2:
        return (fused * 0.0).sum()  # a zero that autograd can go through
    steps = fused[:, 1:] - fused[:, :-1]  # (B, C-1, H, W)
    return steps.abs().mean()


def total(
    terms: Mapping[str, paddle.Tensor],
    weights: Optional[Mapping[str, float]] = None,
) -> paddle.Tensor:
    """Sum of the terms.

    Args:
        terms: By name, one at least.
        weights: By name; a term without one counts once.
    """
    weights = weights or {}
    loss: Optional[paddle.Tensor] = None
    for name, term in terms.items():
        weight = weights.get(name, 1.0)
        if weight != 1.0:  # a product more would be a rounding less like the published sum
            term = weight * term
        if loss is None:
            loss = term
        else:
            loss = loss + term
    assert loss is not None
    return loss

"""Shift, rotation and zoom between the images to parts of a pixel, from what they share, nothing resampled.

Gauss-Newton over the affine map and the PSF's width with the SRF profiled out, from where the coarse search
(`coarse_shift.py`) ends.

References:
    G. Golub, V. Pereyra: Separable nonlinear least squares: the variable projection method. Inverse Problems 19, 2003.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from paddle_umsft.preparation.view import FINE, MOST_PIXELS, Fit, View, fit

ROUNDS = 12
# LR pixels that bring a refinement near its end, and then those that end it.
NEAR = (700,)
END = (MOST_PIXELS,)
STAGES = NEAR + END
# Order of the splines that interpolate a turned MSI on the way.
PLAIN = 1
# The parameters: row and column of the shift, two of the PSF, and four of the matrix if it is free.
SHIFT = slice(0, 2)
WIDTH = slice(2, 4)
MATRIX = slice(4, 8)
# Change of a logarithm of the PSF's width over which its derivative is taken.
WIDER = 0.05
# Longest steps: of the shift in LR pixels, of the logarithms.
LONGEST_SHIFT = 0.5
LONGEST_CHANGE = 0.7
# Steps shorter than this (HR pixels at the border) end the refinement if they do not help or gain less than that;
# longer ones do where what is left is as small as the simple PSF here leaves it.
STILL = 2e-3
STILL_IF_FINE = 1e-2
LEAST_GAIN = 1e-3
# Levenberg's damping: at first, at least (less damps nothing), its factor where a step does not help, and how often it
# is raised.
DAMPING = 1e-3
LEAST_DAMPING = 1e-4
HARDER = 10.0
ATTEMPTS = 6
RIDGE = 1e-12
TINY = 1e-12


@dataclass
class Placed:
    """A refined placement.

    Attributes:
        view: The pair with placement and profile.
        fit: How well it agrees now.
        deviation: (2,) standard deviation of the shift, HR pixels.
    """

    view: View
    fit: Fit
    deviation: np.ndarray


def _half(view: View) -> float:
    """Half of the longer side: the matrix is measured by what it moves there."""
    longer = max(view.hr_msi.shape[:2])
    return float(longer) / 2


def _changed(
    view: View,
    step: np.ndarray,
    affine: bool,
) -> View:
    """A view with the parameters changed."""
    placement = view.placement
    matrix = placement.matrix
    if affine:
        matrix = matrix + step[MATRIX].reshape(2, 2) / _half(view)
    log_length, log_softness = step[WIDTH]
    return view.but(
        placement=replace(placement, shift=placement.shift + step[SHIFT], matrix=matrix),
        profile=view.profile.changed(float(log_length), float(log_softness)),
    )


def _derivatives(
    view: View,
    affine: bool,
) -> np.ndarray:
    """(n, M, p) how what is seen changes with the parameters."""
    seen = view.seen(change=True)
    assert seen.down is not None
    assert seen.right is not None
    longer = view.but(profile=view.profile.changed(WIDER, 0.0)).seen()
    softer = view.but(profile=view.profile.changed(0.0, WIDER)).seen()
    columns = [
        seen.down,
        seen.right,
        (longer.values - seen.values) / WIDER,
        (softer.values - seen.values) / WIDER,
    ]
    if affine:
        placement = view.placement
        own = view.own_places() - placement.middle(view.whole_shape)
        lever = own.reshape(-1, 2) / _half(view)  # (n, 2)
        for gradient in (seen.down, seen.right):
            columns.append(gradient * lever[:, :1])
            columns.append(gradient * lever[:, 1:])
    return np.stack(columns, axis=2)


def _equations(
    view: View,
    found: Fit,
    affine: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations of a step: (p, p) matrix and (p,) right side, what the SRF can take up projected out."""
    change = _derivatives(view, affine)
    count, bands, depth = change.shape
    root = np.sqrt(found.weights)[:, None]
    directions = view.directions(found.counted)
    orthogonal, _ = np.linalg.qr(directions * root)
    flat = (change * root[:, :, None]).reshape(count, -1)
    flat = flat - orthogonal @ (orthogonal.T @ flat)
    # Bands in units of their own residual.
    jacobian = flat.reshape(count, bands, depth) / found.scale[:, None]
    jacobian = jacobian.reshape(-1, depth)
    rest = found.rest * root / found.scale
    return jacobian.T @ jacobian, jacobian.T @ rest.ravel()


def _step(
    gram: np.ndarray,
    slope: np.ndarray,
    damping: float,
    scale: int,
) -> np.ndarray:
    """(p,) damped step within its bounds."""
    depth = len(gram)
    system = gram + damping * np.diag(np.diag(gram)) + RIDGE * np.trace(gram) * np.eye(depth)
    step = -np.linalg.solve(system, slope)
    step[SHIFT] = np.clip(step[SHIFT], -LONGEST_SHIFT * scale, LONGEST_SHIFT * scale)
    step[WIDTH] = np.clip(step[WIDTH], -LONGEST_CHANGE, LONGEST_CHANGE)
    return np.asarray(step)


def _loss(found: Fit) -> float:
    """Sum over bands of the logarithm of the robust residual."""
    relative = np.maximum(found.relative, TINY)
    return float(np.sum(np.log(relative)))


def refine(
    view: View,
    *,
    affine: bool = False,
    rounds: int = ROUNDS,
    stages: tuple[int, ...] = STAGES,
    everywhere: bool = True,
) -> Placed:
    """Gauss-Newton from where the view stands.

    Args:
        view: The pair.
        affine: Whether rotation, zoom and shear are free too.
        rounds: Steps at most, in every stage.
        stages: LR pixels in use, one stage after the other.
        everywhere: Whether all LR pixels count in what is told of the end; else those of the last stage.

    Returns:
        The pair, placed.
    """
    found: Optional[Fit] = None
    covariance = np.eye(2)
    for pixels in stages:
        part = view.thinned(pixels)
        uses_all = part.lines is None
        if uses_all and found is not None:
            break
        if not uses_all and pixels < MOST_PIXELS:
            # On the way to where more pixels take over.
            part = part.but(order=PLAIN, straightened={})
        last, reached, covariance = _descended(part, affine, rounds)
        view = view.but(placement=last.placement, profile=last.profile)
        if last.order == view.order:
            view.straightened.update(last.straightened)
        if uses_all or not everywhere:
            found = reached
    if found is None:
        found = fit(view)
    return Placed(
        view=view,
        fit=found,
        deviation=np.sqrt(np.diag(covariance)),
    )


def _descended(
    view: View,
    affine: bool,
    rounds: int,
) -> tuple[View, Fit, np.ndarray]:
    """The view after some steps, how well it agrees, and the (2, 2) covariance of the shift."""
    found = fit(view)
    damping = DAMPING
    covariance = np.eye(2)
    for _ in range(rounds):
        gram, slope = _equations(view, found, affine)
        loss = _loss(found)
        better: Optional[tuple[View, Fit]] = None
        moved = 0.0
        for _ in range(ATTEMPTS):
            step = _step(gram, slope, damping, view.scale)
            moved = float(np.abs(np.delete(step, WIDTH)).max())
            other = _changed(view, step, affine)
            tried = fit(other)
            if _loss(tried) < loss:
                better = (other, tried)
                break
            if moved < STILL:
                break
            damping *= HARDER
        if better is None:
            break
        view, found = better
        covariance = np.linalg.pinv(gram)[SHIFT, SHIFT]
        damping = max(damping / HARDER, LEAST_DAMPING)
        if moved < STILL and loss - _loss(found) < LEAST_GAIN:
            break
        if moved < STILL_IF_FINE and np.all(found.relative < FINE):
            break
    return view, found, covariance

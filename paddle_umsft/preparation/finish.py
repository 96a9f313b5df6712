"""From the pair as it was understood to the pair that the solvers get: strangers, saturation, the placement, notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.preparation.candidates import State
from paddle_umsft.preparation.illumination import lit_otherwise, relit, unsure_part
from paddle_umsft.preparation.prepared import FILLED_TRUST, USABLE, Prepared
from paddle_umsft.preparation.saturation import desaturated, untouched_pixels
from paddle_umsft.preparation.strangers import find_strangers, those_within
from paddle_umsft.preparation.told_strangers import name_strangers
from paddle_umsft.preparation.view import INSIDE, View
from paddle_umsft.preparation.warp import local_shifts, warp_note

# Below this many HR pixels the PSF's own middle takes the shift up.
LEAST_SHIFT = 0.75
# What a user is told of HR pixels that lie beyond the HSI, after how many they are.
BEYOND = "of the MSI lies where the HSI has no pixel: extrapolated there"
# Half an HR pixel around the middles of the outermost, and rounding.
EDGE, ROUNDING = 0.5, 1e-9


def is_moved(placement: Placement) -> bool:
    """Whether a placement, or what it adds to another one, is more than the PSF's middle can take up."""
    return placement.is_bent or bool(np.any(np.abs(placement.shift) > LEAST_SHIFT))


def finish(
    prepared: Prepared,
    state: State,
    settings: PreparationSettings,
    done: set[str],
) -> View:
    """Sort strangers, fill saturated pixels, place the pair; trust, notes and findings go into `prepared`.

    Returns:
        The pair with everything undone.
    """
    view = state.view
    if settings.outliers:
        view = _sort_strangers(prepared, state)
    if settings.geometry != "none":
        warp = local_shifts(view)
        if warp.is_there:
            prepared.notes.append(warp_note(warp))
            prepared.found["warp"] = {"mean": warp.size, "largest": warp.largest}
    if state.censored.any():
        clean = view.trusted.copy()
        hr_msi = desaturated(view.but(trusted=prepared.use_trust), state.censored, clean)
        view = view.but(hr_msi=hr_msi)
        prepared.fit_trust &= clean
    unsure = np.any(state.dead_msi | state.censored, axis=2)  # (H, W)
    prepared.msi_trust[unsure] = np.minimum(prepared.msi_trust[unsure], FILLED_TRUST)
    start = prepared.placement or Placement(view.scale)
    if "affine" in done:
        _place_bent(prepared, view.placement, start)
    elif settings.geometry != "none" and is_moved(view.placement.relative_to(start)):
        _place_shifted(prepared, view.placement, start, float(state.placed.deviation.max()))
    if prepared.placement is not None and prepared.placement is not start:
        _leave_out_beyond(prepared, view)
    return view


def _sort_strangers(prepared: Prepared, state: State) -> View:
    """Strangers are left out; those that only the light makes strange are lit as the HSI is."""
    view = state.view
    trusted = view.has_data.copy()
    if state.censored.any():
        trusted &= untouched_pixels(view, state.censored)
    view = view.but(trusted=trusted)
    strangers = find_strangers(view, whole_only=is_moved(view.placement))
    if state.censored.any():
        strangers = those_within(strangers, view.trusted)
    if not strangers.mask.any():
        return view
    lit = lit_otherwise(view, strangers)
    prepared.fit_trust &= ~strangers.mask
    prepared.use_trust &= ~(strangers.mask & ~lit)
    prepared.own_trust &= ~(strangers.mask & ~lit)
    if lit.any():
        hr_msi, gain = relit(view, strangers, lit)
        view = view.but(hr_msi=hr_msi)
        prepared.unsure_light = unsure_part(gain, view.scale)
    name_strangers(prepared, strangers, lit)
    return view.but(trusted=view.trusted & prepared.fit_trust)


def _pair_of_numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:+.2f}" for value in values)


def _place_bent(
    prepared: Prepared,
    placement: Placement,
    start: Placement,
) -> None:
    """Rotation, zoom and shift, as they were found."""
    prepared.placement = placement
    # For the user the MSI has moved, not the HSI, from where the grids say it is.
    found = placement.relative_to(start)
    inverse = np.linalg.inv(found.matrix)
    turned = Placement(placement.scale, -inverse @ found.shift, inverse)
    prepared.notes.append(
        f"the MSI is turned by {turned.angle_deg:+.2f} degrees, zoomed by {100 * (turned.zoom - 1):+.2f} % and moved "
        f"by ({_pair_of_numbers(turned.shift)}) HR pixels (rows, columns) against the HSI; the fusion follows"
    )
    prepared.found["affine"] = {
        "angle_deg": turned.angle_deg,
        "zoom": turned.zoom,
        "shift": turned.shift.tolist(),
    }


def _place_shifted(
    prepared: Prepared,
    placement: Placement,
    start: Placement,
    deviation: float,
) -> None:
    """A shift by whole pixels, which resamples nothing; the PSF's middle takes up the rest."""
    shift = placement.relative_to(start).shift
    prepared.placement = replace(start, shift=start.shift + np.round(shift))
    moved = _pair_of_numbers(-shift)
    prepared.notes.append(
        f"the MSI is moved by ({moved}) HR pixels (rows, columns; ± {deviation:.2g}) against the HSI; "
        "the fusion follows"
    )
    prepared.found["shift"] = (-shift).tolist()


def _leave_out_beyond(prepared: Prepared, view: View) -> None:
    """PSF and SRF are not fitted where an LR pixel sees beyond the MSI; a little beyond, it is as at the edge."""
    assert prepared.placement is not None
    leave_out_beyond(prepared, view.but(placement=prepared.placement).inside())


def leave_out_beyond(prepared: Prepared, inside: np.ndarray) -> None:
    """The same, where it is known how much of what each LR pixel sees lies on the MSI.

    Args:
        prepared: The pair, placed.
        inside: (h, w).
    """
    assert prepared.placement is not None
    prepared.fit_trust &= inside > INSIDE
    prepared.use_trust &= inside > USABLE
    beyond = uncovered(prepared.placement, prepared.observation.shape)
    if prepared.layout is not None:
        beyond = prepared.layout.cut(beyond)
    if beyond.any():
        share = 100 * float(np.mean(beyond))
        prepared.notes.append(f"{share:.2g} % {BEYOND}")


def uncovered(placement: Placement, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) HR pixels that lie outside the ground of all LR pixels."""
    limit = np.array(shape) - EDGE
    if placement.is_straight:
        # Along one axis after the other: two numbers of each pixel of a very large picture would not fit.
        lines = []
        for axis, length in enumerate(shape):
            along = placement.origins_along(axis, np.arange(length), length)
            lines.append((along < -EDGE - ROUNDING) | (along > limit[axis] + ROUNDING))
        return np.asarray(lines[0][:, None] | lines[1][None, :])
    origins = placement.origins(shape)
    outside = (origins < -EDGE - ROUNDING) | (origins > limit + ROUNDING)
    return np.asarray(np.any(outside, axis=2))


def as_observation(prepared: Prepared, view: View) -> None:
    """Put the pair with everything undone into `prepared`, if anything was found."""
    if not prepared.found:
        return
    prepared.observation = replace(
        prepared.observation,
        lr_hsi=view.lr_hsi.astype(np.float32),
        hr_msi=view.hr_msi.astype(np.float32),
    )

"""Every effect that may be in a pair, undone for a try: does the pair agree better without it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Optional

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.preparation.dead_msi import without_dead_msi
from paddle_umsft.preparation.gains import DEGREES, PASSES, Undone, without_shading, without_stripes
from paddle_umsft.preparation.geometry import END, NEAR, Placed, refine
from paddle_umsft.preparation.offset import without_offset
from paddle_umsft.preparation.profiles import Profile
from paddle_umsft.preparation.saturation import SATURATED, asked_for, plateaus, untouched_pixels
from paddle_umsft.preparation.strangers import find_strangers
from paddle_umsft.preparation.tone import curves, without_curve
from paddle_umsft.preparation.tone_spline import fitted_spline, without_spline
from paddle_umsft.preparation.view import FINE, View, fit

# What an effect has to better the criterion by, per MSI band: a residual smaller by three tenths.
LEAST_GAIN = 0.7
# Share of that which a first pass has to reach, the PSF as it is, before more time is spent.
PROMISE = 0.5
# Weaker effects than these (shares of the signal) are not worth touching the data for.
LEAST_SIZE = {"offset": 0.01, "shading": 0.005, "stripes": 0.002}
# A stranger has to be far off; each costs as much as so many parameters per MSI band.
STRANGER_COST = 3.0
# Fewer lines are a shading rather than stripes.
LEAST_LINES = 6
# What a rotation, zoom or shear has to move at the border to be more than rounding, HR pixels.
LEAST_BEND = 0.2
AFFINE_FREEDOM = 4
# A robust residual (share of the contrast) that a simple PSF leaves of a pair without faults.
WELL_FITTED = 0.02
# What a tone curve without a name has to gain beyond all others, per MSI band: a residual smaller by another third.
SPLINE_MARGIN = 0.7
# A smooth gain that reaches this share of what stripes gain is the simpler word for it.
SMOOTH_ENOUGH = 0.7
# Steps of a refinement that starts close to its end, and where pixels or the curve have changed.
FEW_ROUNDS = 3
SOME_ROUNDS = 4
MORE_ROUNDS = 8


@dataclass
class State:
    """The pair while effects are being undone.

    Attributes:
        placed: The pair so far, refined.
        origin: The placement that refinements start from.
        profiles: The PSFs that they may start from.
        dead_msi: (H, W, M) pixels of the MSI that were filled.
        censored: (H, W, M) pixels of the MSI at a plateau.
    """

    placed: Placed
    origin: Placement
    profiles: list[Profile]
    dead_msi: np.ndarray
    censored: np.ndarray

    @property
    def least(self) -> float:
        """What an effect has to better the criterion by."""
        return LEAST_GAIN * int(self.view.hr_msi.shape[2])

    @property
    def view(self) -> View:
        """The pair as far as it is understood."""
        return self.placed.view

    @property
    def criterion(self) -> float:
        """How well the pair agrees, smaller is better."""
        return self.placed.fit.criterion


@dataclass
class Candidate:
    """An effect undone for a try.

    Attributes:
        name: Of the effect.
        undone: The pair without it.
        placed: The same, refined.
        gain: What the criterion gains by it.
        mask: (H, W, M) MSI pixels that it concerns, if it is one of single pixels.
    """

    name: str
    undone: Undone
    placed: Placed
    gain: float
    mask: Optional[np.ndarray] = None


def best_refined(
    view: View,
    origin: Placement,
    profiles: list[Profile],
) -> Placed:
    """Refined from the first guesses of the PSF: what was wrong before may have bent it."""
    tried = [refine(view.but(placement=origin, profile=profile)) for profile in profiles]
    return min(tried, key=lambda placed: placed.fit.criterion)


def _promises(state: State, changed: View) -> bool:
    """Whether a change helps before the PSF is fitted anew, both seen through the first guesses of it."""
    before, after = [], []
    for profile in state.profiles:
        before.append(fit(state.view.but(placement=state.origin, profile=profile)).criterion)
        after.append(fit(changed.but(placement=state.origin, profile=profile)).criterion)
    return min(after) < min(before)


def _price(undone: Undone, view: View) -> float:
    """What the parameters of an effect cost in the criterion."""
    count = max(int(view.trusted.sum()), 2)
    return undone.freedom * float(np.log(count)) / count


def _tone(state: State) -> list[Candidate]:
    """The tone curves with a name, sRGB first: where it does harm no other one helps; and one without."""
    tried: list[Candidate] = []
    for name in curves():
        undone = without_curve(state.view, name)
        if not _promises(state, undone.view):
            break
        placed = best_refined(undone.view, state.origin, state.profiles)
        gain = state.criterion - placed.fit.criterion
        tried.append(Candidate("tone curve", undone, placed, gain))
    return tried + _nameless(state, tried)


def _nameless(state: State, named: list[Candidate]) -> list[Candidate]:
    """A tone curve without a name, where those that have one leave much, or make nothing better."""
    best = state.placed
    if named:
        best = max(named, key=lambda candidate: candidate.gain).placed
    if np.all(best.fit.relative < WELL_FITTED):
        return []
    # What the pair looks like does not depend on the curve much: the better it is known, the better PSF and placement.
    place, profile = best.view.placement, best.view.profile
    curve = fitted_spline(state.view.but(placement=place, profile=profile))
    undone = without_spline(state.view, curve)
    if not _promises(state, undone.view):
        return []
    placed = best_refined(undone.view, state.origin, state.profiles)
    curve = fitted_spline(state.view.but(placement=placed.view.placement, profile=placed.view.profile))
    undone = without_spline(state.view, curve)
    placed = best_refined(undone.view, state.origin, state.profiles)
    gain = state.criterion - placed.fit.criterion - _price(undone, state.view)
    # So flexible a curve imitates much: it has to do better than others by a margin of its own.
    margin = SPLINE_MARGIN * state.view.hr_msi.shape[2]
    return [Candidate("tone curve", undone, placed, gain - margin)]


def _smooth(
    state: State,
    name: str,
    make: Callable[[View, int], Undone],
) -> list[Candidate]:
    """An effect that is linear in the pair; gone into only where a first pass at it promises something."""
    undone = make(state.view, 1)
    promised = state.criterion - fit(undone.view).criterion
    if undone.size < LEAST_SIZE[name] or promised < PROMISE * state.least:
        return []
    undone = make(state.view, PASSES)
    placed = refine(undone.view, rounds=FEW_ROUNDS)
    gain = state.criterion - placed.fit.criterion - _price(undone, state.view)
    return [Candidate(name, undone, placed, gain)]


def _offset(state: State) -> list[Candidate]:
    def make(view: View, passes: int) -> Undone:
        return without_offset(view)

    return _smooth(state, "offset", make)


def _shading(state: State) -> list[Candidate]:
    tried = []
    for degree in DEGREES:
        tried += _smooth(state, "shading", partial(without_shading, degree))
    return tried


def _stripes(state: State) -> list[Candidate]:
    """Columns before rows: a scanner's detectors stand side by side."""
    tried = []
    for axis in (1, 0):
        if state.view.lr_shape[axis] >= LEAST_LINES:
            tried += _smooth(state, "stripes", partial(without_stripes, axis))
    return tried


def _dead_msi(state: State) -> list[Candidate]:
    undone, mask = without_dead_msi(state.view)
    if not mask.any() or not _promises(state, undone.view):
        return []
    placed = best_refined(undone.view, state.origin, state.profiles)
    gain = state.criterion - placed.fit.criterion
    return [Candidate("dead MSI pixels", undone, placed, gain, mask)]


def _saturation(state: State) -> list[Candidate]:
    censored = plateaus(state.view.hr_msi)
    if not censored.any() or not asked_for(state.view, censored):
        return []
    clean = state.view.trusted & untouched_pixels(state.view, censored)
    placed = refine(state.view.but(trusted=clean), rounds=SOME_ROUNDS)
    share = 100 * float(np.any(censored, axis=2).mean())
    undone = Undone(
        view=placed.view,
        note=f"{share:.2g} {SATURATED}",
        freedom=censored.shape[2],
        size=share,
    )
    gain = state.criterion - placed.fit.criterion
    return [Candidate("saturation", undone, placed, gain, censored)]


def _strangers(state: State) -> list[Candidate]:
    starts = [state.view]
    if np.max(state.placed.fit.relative) > WELL_FITTED:
        # What does not belong may have bent the PSF already.
        for profile in state.profiles:
            starts.append(state.view.but(placement=state.origin, profile=profile))
    best: Optional[Candidate] = None
    for start in starts:
        strangers = find_strangers(start)
        if not strangers.mask.any():
            continue
        placed = refine(start.but(trusted=start.trusted & ~strangers.mask), rounds=MORE_ROUNDS)
        count = strangers.mask.size
        bands = state.view.hr_msi.shape[2]
        cost = STRANGER_COST * bands * float(strangers.mask.sum() * np.log(count)) / count
        undone = Undone(view=placed.view, note="", freedom=0, size=float(strangers.mask.mean()))
        candidate = Candidate("strangers", undone, placed, state.criterion - placed.fit.criterion - cost)
        if best is None or candidate.gain > best.gain:
            best = candidate
    if best is None:
        return []
    return [best]


def bend(placed: Placed, start: Placement) -> float:
    """How far rotation, zoom and shear move the border from where a placement has it, HR pixels."""
    half = max(placed.view.hr_msi.shape[:2]) / 2
    turned = np.abs(placed.view.placement.matrix - start.matrix)
    return float(turned.sum(axis=1).max() * half)


def _affine(state: State) -> list[Candidate]:
    few = state.view.thinned(NEAR[0])
    placed = refine(state.view, affine=True, rounds=2, stages=NEAR, everywhere=False)
    if fit(few).criterion - placed.fit.criterion < PROMISE * state.least:
        return []
    placed = refine(placed.view, affine=True, rounds=SOME_ROUNDS, stages=NEAR, everywhere=False)
    if np.any(placed.fit.relative > WELL_FITTED):
        # A turned grid bends the PSF that is fitted without it: the first guesses have their turn too.
        tried = [placed]
        for profile in state.profiles:
            start = state.view.but(profile=profile)
            tried.append(refine(start, affine=True, rounds=SOME_ROUNDS, stages=NEAR, everywhere=False))
        # They end in the same place: only the best of them has to go there.
        placed = min(tried, key=lambda other: other.fit.criterion)
    placed = refine(placed.view, affine=True, stages=END)
    size = bend(placed, state.origin)
    if size <= LEAST_BEND:
        return []
    undone = Undone(view=placed.view, note="", freedom=AFFINE_FREEDOM, size=size)
    return [Candidate("affine", undone, placed, state.criterion - placed.fit.criterion)]


def candidates(
    state: State,
    settings: PreparationSettings,
    done: set[str],
) -> list[Candidate]:
    """Every effect that may be looked for and has not been undone yet, undone for a try."""
    is_fine = bool(np.all(state.placed.fit.relative < FINE))
    turned: list[Candidate] = []
    if settings.geometry in ("auto", "affine") and "affine" not in done and not is_fine:
        turned = _affine(state)
        best = best_of(turned, state.least)
        if best is not None and np.all(best.placed.fit.relative < WELL_FITTED):
            # Hardly anything is left for other effects to explain, and they come to their turn afterwards.
            return turned
    wanted: dict[str, Callable[[State], list[Candidate]]] = {}
    if settings.outliers:
        wanted["dead MSI pixels"] = _dead_msi
    if settings.radiometry:
        wanted["tone curve"] = _tone
        wanted["saturation"] = _saturation
        wanted["offset"] = _offset
        wanted["shading"] = _shading
        wanted["stripes"] = _stripes
    tried: list[Candidate] = []
    if settings.outliers and "strangers" not in done:
        tried += _strangers(state)
    if is_fine:
        return tried  # nothing is left to be explained
    for name, effect in wanted.items():
        if name not in done:
            tried += effect(state)
    return tried + turned


def best_of(tried: list[Candidate], least: float) -> Optional[Candidate]:
    """The candidate that gains most; a smooth gain goes before stripes that say the same line by line."""
    good = [candidate for candidate in tried if candidate.gain > least]
    if not good:
        return None
    best = max(good, key=lambda candidate: candidate.gain)
    if best.name != "stripes":
        return best
    smooth = [other for other in good if other.name == "shading" and other.gain > SMOOTH_ENOUGH * best.gain]
    if smooth:
        best = max(smooth, key=lambda candidate: candidate.gain)
    return best


def undone_for_good(state: State, chosen: Candidate) -> State:
    """The state with a candidate taken."""
    state = replace(state, placed=chosen.placed)
    if chosen.mask is None:
        return state
    if chosen.name == "dead MSI pixels":
        return replace(state, dead_msi=chosen.mask)
    return replace(state, censored=chosen.mask)

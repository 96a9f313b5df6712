"""A pair as it comes to a pair as the solvers assume it: a list of effects, each undone where the data ask for it.

Effects are tried one against the other: the one after which the images agree best goes first, then the rest again,
until none helps any more. An effect that makes little difference is left alone, so a clean pair stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.candidates import LEAST_GAIN, State, best_of, best_refined, candidates, undone_for_good
from paddle_umsft.preparation.coarse_shift import whole_shift
from paddle_umsft.preparation.drowned import drowned_bands, without_drowned
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.finish import as_observation, finish
from paddle_umsft.preparation.geometry import END, NEAR, refine
from paddle_umsft.preparation.orientation import upright
from paddle_umsft.preparation.prepared import Prepared, untouched
from paddle_umsft.preparation.profiles import FoundPsf, Profile, first_profile
from paddle_umsft.preparation.view import View, first_view

MOST_EFFECTS = 6
# Fewer LR pixels explain anything.
LEAST_PIXELS = 48
# The two images have less in common than this: nothing can be told from it.
COMMON_GROUND = 0.3


def prepare_pair(
    observation: Observation,
    settings: PreparationSettings,
    found: Optional[Degradations] = None,
    given: Optional[Prepared] = None,
) -> Prepared:
    """Find what is wrong with a pair and undo it.

    Args:
        observation: The image pair.
        settings: What may be looked for.
        found: What explains the pair best as it is: what its PSF explains, no effect has to.
        given: The pair untouched, if it is at hand.

    Returns:
        The pair as the solvers assume it, with notes.
    """
    prepared = given
    if prepared is None:
        prepared = untouched(observation)
    observation = prepared.observation
    lr_height, lr_width = observation.lr_hsi.shape[:2]
    if lr_height * lr_width < LEAST_PIXELS or not (observation.lr_hsi.any() and observation.hr_msi.any()):
        return prepared
    view = first_view(observation.lr_hsi, observation.hr_msi, observation.scale, prepared.fit_trust)
    if prepared.placement is not None:
        view = view.but(placement=prepared.placement)
    if settings.outliers:
        view = _without_drowned(prepared, view)
    shift, share = whole_shift(view)
    if settings.orientation:
        view, note = upright(view, share)
        if note:
            prepared.notes.append(note)
            prepared.found["orientation"] = note
            _turn_trust(prepared, view.has_data)
            shift, share = whole_shift(view)
    if share < COMMON_GROUND:
        as_observation(prepared, view)
        return prepared
    if settings.geometry == "none":
        shift = np.zeros(2)
    state, done = _undone(prepared, _begin(view, shift, found), settings)
    view = finish(prepared, state, settings, done)
    as_observation(prepared, view)
    return prepared


def _turn_trust(prepared: Prepared, has_data: np.ndarray) -> None:
    """Masked LR pixels lie elsewhere once the HSI is turned."""
    prepared.fit_trust = has_data.copy()
    if prepared.observation.mask_hsi is None:
        return
    prepared.use_trust = has_data.copy()
    prepared.own_trust = has_data.copy()
    prepared.observation = replace(prepared.observation, mask_hsi=has_data)


def _without_drowned(prepared: Prepared, view: View) -> View:
    """Bands of nothing but noise rebuilt first: they would spoil whatever is asked of the spectra."""
    bands = drowned_bands(view.lr_hsi)
    if not bands.size:
        return view
    prepared.found["drowned bands"] = bands.tolist()
    listed = ", ".join(map(str, bands))
    prepared.notes.append(f"HSI bands {listed} (counted from 0) are mostly noise; rebuilt from the other bands")
    return view.but(lr_hsi=without_drowned(view.lr_hsi, bands))


def _begin(
    view: View,
    shift: np.ndarray,
    found: Optional[Degradations],
) -> State:
    """The pair refined from the coarse shift, under the PSF that suits it better."""
    start = view.placement
    origin = replace(start, shift=start.shift + start.matrix @ shift)
    first: Profile = first_profile(view.scale)
    profiles = [first]
    placed = best_refined(view, origin, profiles)
    if found is not None:
        profile = FoundPsf.of(found.psf, view.scale, found.border, found.doubt)
        other = refine(view.but(placement=origin, profile=profile), stages=NEAR)
        # An effect bends the PSF that is fitted to the pair as it is: only where it does far better, it is one.
        least = LEAST_GAIN * view.hr_msi.shape[2]
        if other.fit.criterion < placed.fit.criterion - least:
            placed = refine(other.view, stages=END)
            profiles.append(profile)
    nowhere = np.zeros(view.hr_msi.shape, dtype=bool)
    return State(
        placed=placed,
        origin=origin,
        profiles=profiles,
        dead_msi=nowhere,
        censored=nowhere.copy(),
    )


def _undone(
    prepared: Prepared,
    state: State,
    settings: PreparationSettings,
) -> tuple[State, set[str]]:
    """The state after every effect that helps, and their names; findings and notes go into `prepared`."""
    done: set[str] = set()
    for _ in range(MOST_EFFECTS):
        best = best_of(candidates(state, settings, done), state.least)
        if best is None:
            break
        done.add(best.name)
        msi_before = state.view.hr_msi
        state = undone_for_good(state, best)
        prepared.found[best.name] = best.undone.size
        if best.name == "offset":
            constants = msi_before - best.undone.view.hr_msi
            prepared.found["offset"] = constants.mean(axis=(0, 1)).tolist()
            prepared.offset = True
        if best.undone.note:
            prepared.notes.append(best.undone.note)
    return state, done

"""A pair examined: first what PSF and SRF explain, then what else is wrong with it."""

from __future__ import annotations

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.machine.side_by_side import products_on
from paddle_umsft.preparation.estimate import Degradations, estimate
from paddle_umsft.preparation.explained import is_explained
from paddle_umsft.preparation.prepare import prepare_pair
from paddle_umsft.preparation.prepared import Prepared, untouched, with_offset

# Values of an LR-HSI up to which fits are made of thousands of small products, which two cores take longer for.
SMALL_PRODUCTS = 2**20


def examine(
    observation: Observation,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
) -> tuple[Prepared, Degradations]:
    """Undo what is found in a pair, and find its degradations.

    Args:
        observation: The image pair.
        settings: How degradations are estimated.
        preparation: What may be looked for.

    Returns:
        The pair, as it is where PSF and SRF explain all of it; and what they are.

    Raises:
        DataError: See `estimate`.
    """
    if observation.lr_hsi.size <= SMALL_PRODUCTS:
        with products_on(1):
            return _examined(observation, settings, preparation)
    return _examined(observation, settings, preparation)


def _examined(
    observation: Observation,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
) -> tuple[Prepared, Degradations]:
    """`examine`, on as many cores as there are."""
    given = untouched(observation)
    degradations = estimate(given.observation, settings, given, first_look=True)
    if is_explained(given.observation, degradations):
        return given, degradations
    nothing = dict(given.found)
    prepared = prepare_pair(observation, preparation, degradations, given)
    if prepared.found == nothing and not degradations.rough:
        return prepared, degradations
    degradations = estimate(prepared.observation, settings, prepared)
    if degradations.offset is not None:
        prepared = with_offset(prepared, degradations.offset)
    return prepared, degradations

"""A pair on its way to whoever works on it, who lets go of its images as soon as nobody asks for them any more.

Python keeps an array as long as anybody up the stack has a name for it. Of a large scene nobody has but this.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from paddle_umsft.data.readers.base import stand_in
from paddle_umsft.data.scene import Observation


def sizes_of(observation: Observation) -> Observation:
    """A pair with all that is known of it, and images that only have their sizes."""
    return replace(
        observation,
        lr_hsi=stand_in(observation.lr_hsi.shape),
        hr_msi=stand_in(observation.hr_msi.shape),
    )


class Handed:
    """A pair, and afterwards what is known of it.

    Args:
        observation: The pair.

    Attributes:
        sizes: The pair with images that only have their sizes.
    """

    def __init__(self, observation: Observation) -> None:
        self.sizes = sizes_of(observation)
        # The only name that is left for it.
        self._pair: Optional[Observation] = observation

    @property
    def pair(self) -> Observation:
        """The pair itself, before anybody has let go of it."""
        assert self._pair is not None
        return self._pair

    def let_go(self) -> None:
        """Nobody asks for the images again."""
        self._pair = None

"""How the images lie against each other, found in a block of a very large pair, told of the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.estimate import Degradations, operator_of
from paddle_umsft.preparation.finish import BEYOND, leave_out_beyond
from paddle_umsft.preparation.prepared import Prepared

# Names of findings that place the images elsewhere.
PLACED = {"shift", "affine"}


@dataclass(frozen=True)
class Block:
    """A block of a pair.

    Attributes:
        pair: It.
        lr_first: (2,) row and column of its first LR pixel in the pair.
        msi_first: (2,) those of its first pixel of the MSI.
    """

    pair: Observation
    lr_first: np.ndarray
    msi_first: np.ndarray


def place_whole(
    whole: Prepared,
    block: Block,
    prepared: Prepared,
    degradations: Degradations,
) -> None:
    """Place the images of a whole pair as those of a block of it lie, and leave out what lies beyond the MSI then.

    Args:
        whole: Everything else undone; is given its placement.
        block: The block as it was.
        prepared: The block with everything undone.
        degradations: Those of the block.
    """
    found = prepared.placement
    assert found is not None
    start = whole.placement or Placement(found.scale)
    lr_shape = whole.observation.lr_hsi.shape
    lr_part = prepared.observation.lr_hsi.shape
    on_msi = block.msi_first
    if whole.layout is not None and prepared.layout is not None:
        on_msi = on_msi + prepared.layout.begin - whole.layout.begin
    told = found.told_of(
        (lr_shape[0], lr_shape[1]),
        (lr_part[0], lr_part[1]),
        on_ground=block.lr_first * found.scale,
        on_msi=on_msi,
    )
    whole.placement = replace(told, frame=start.frame)
    whole.notes = [note for note in whole.notes if not note.endswith(BEYOND)]
    operator = operator_of(degradations.psf, whole, degradations.border)
    leave_out_beyond(whole, operator.inside((lr_shape[0], lr_shape[1])))

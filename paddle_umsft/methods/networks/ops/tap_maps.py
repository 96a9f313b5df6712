"""A 3×3 convolution of a bilinearly enlarged map from nine mixes of the small one: the arithmetic on arrays.

Enlarging takes every channel alike, so it may follow the mixing of channels. Each tap of the kernel mixes the channels
of the small map, (h, w) pixels instead of (2h, 2w) and so a quarter of the multiplications; the nine results are
enlarged, shifted by their tap and summed. Bilinear ×2 without aligned corners is repetition, then [1, 2, 1]/4: what is
summed here is repeated only, and a single blur of the sum follows. It may, because shifts and blurs commute; what lies
beyond the border is chosen so that this is exact there too.

Along one axis, with h pixels u[i] of the small map and n[2i] = n[2i+1] = u[i]:

- The blur gives y[0] and y[2h-1] as the clamped enlargement has them where n[-1] = u[0] and n[2h] = u[h-1].
- It gives the padding y[-1] where n[-2] = u[1] (reflection, y[1]) or n[-2] = -3 u[0] (zeros); likewise behind the end.
- So the sum before the blur is wanted at 2h + 2 places, -1 to 2h: one more on either side than the result has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# The blur, as weights of three neighbours along an axis.
BLUR = (0.25, 0.5, 0.25)
# Enlarging, then its transpose, over 2 along an axis: what squares of the large map are on the small one, with the
# border repeated.
SQUARED = (0.1875, 0.625, 0.1875)
# Parts of an array along its second axis: without its last, its first, or both; its ends; the places -1, 1 ... 2h - 1
# and 0, 2 ... 2h of a sum.
HEAD = np.s_[:, :-1]
TAIL = np.s_[:, 1:]
INNER = np.s_[:, 1:-1]
FIRST = np.s_[:, 0]
LAST = np.s_[:, -1]
ODD_PLACES = np.s_[:, 0::2]
EVEN_PLACES = np.s_[:, 1::2]


@dataclass(frozen=True)
class Padding:
    """What a convolution meets beyond the border of the enlarged map.

    Attributes:
        pixel: Which pixel of the small map, counted from the border, stands for it before the blur.
        weight: Its factor.
    """

    pixel: int
    weight: float

    @property
    def places(self) -> tuple[Any, Any]:
        """Where that pixel is along the second axis, at either end."""
        from_behind = -1 - self.pixel
        return np.s_[:, self.pixel], np.s_[:, from_behind]


PADDINGS = {
    "reflect": Padding(pixel=1, weight=1.0),
    "zeros": Padding(pixel=0, weight=-3.0),
}


def spread(
    taps: np.ndarray,
    tall: np.ndarray,
    out: np.ndarray,
    padding: Padding,
) -> None:
    """Sum nine mixes, each repeated ×2 and shifted by its tap.

    Args:
        taps: (3, 3, blocks, h, w, channels): row and column of the tap first.
        tall: (3, 1, 2h + 2, w, channels), overwritten.
        out: (blocks, 2h + 2, 2w + 2, channels), overwritten: what is still to be blurred.
        padding: Of the convolution.
    """
    # A block of channels at a time: that stays in the processor's cache.
    for block in range(out.shape[0]):
        one = slice(block, block + 1)
        # Down the rows first: these lie far apart, so that much is added at once.
        for column, target in enumerate(tall):
            above, level, below = taps[:, column, one]
            _spread_along(
                above,
                level,
                below,
                out=target,
                padding=padding,
            )
        left, middle, right = tall.swapaxes(2, 3)  # (1, w, 2h + 2, channels) each
        wide = out[one].swapaxes(1, 2)  # (1, 2w + 2, 2h + 2, channels)
        _spread_along(
            left,
            middle,
            right,
            out=wide,
            padding=padding,
        )


def gather(
    of_out: np.ndarray,
    low: np.ndarray,
    of_taps: np.ndarray,
    padding: Padding,
) -> None:
    """The transpose of `spread`: from the gradient of the sum that of the nine mixes.

    Args:
        of_out: (blocks, 2h + 2, 2w + 2, channels).
        low: (3, 1, h, 2w + 2, channels), overwritten.
        of_taps: (3, 3, blocks, h, w, channels), overwritten.
        padding: Of the convolution.
    """
    for block in range(of_out.shape[0]):
        one = slice(block, block + 1)
        above, level, below = low
        _gather_along(
            of_out[one],
            of_before=above,
            of_here=level,
            of_behind=below,
            padding=padding,
        )
        for row, of_row in enumerate(low):
            left, middle, right = of_taps[row, :, one].swapaxes(2, 3)  # (1, w, h, channels) each
            of_columns = of_row.swapaxes(1, 2)  # (1, 2w + 2, h, channels)
            _gather_along(
                of_columns,
                of_before=left,
                of_here=middle,
                of_behind=right,
                padding=padding,
            )


def _spread_along(
    before: np.ndarray,
    here: np.ndarray,
    behind: np.ndarray,
    out: np.ndarray,
    padding: Padding,
) -> None:
    """Along axis 1: the mixes of the taps before, at and behind a pixel (n, h, ...) -> (n, 2h + 2, ...)."""
    odd = out[ODD_PLACES]
    even = out[EVEN_PLACES]
    # Place 2i - 1 has pixel i - 1 itself, place 2i pixel i; the neighbours' shares are the same for both.
    shared = before[HEAD] + behind[TAIL]
    np.add(shared, here[HEAD], out=odd[INNER])
    np.add(shared, here[TAIL], out=even[INNER])
    # At either end the clamped enlargement, then the place beyond it that makes the padding.
    first = here[FIRST] + behind[FIRST]
    last = here[LAST] + before[LAST]
    even[FIRST] = first + before[FIRST]
    odd[LAST] = last + behind[LAST]
    near_first, near_last = padding.places
    beyond_first = padding.weight * before[near_first]
    beyond_last = padding.weight * behind[near_last]
    odd[FIRST] = first + beyond_first
    even[LAST] = last + beyond_last


def _gather_along(
    of_out: np.ndarray,
    of_before: np.ndarray,
    of_here: np.ndarray,
    of_behind: np.ndarray,
    padding: Padding,
) -> None:
    """The transpose of `_spread_along`."""
    odd = of_out[ODD_PLACES]
    even = of_out[EVEN_PLACES]
    np.add(odd[TAIL], even[HEAD], out=of_here)
    # The neighbours' shares are the same again; whole rows are copied faster than pixels are added.
    shared = odd + even
    of_before[...] = shared[TAIL]
    of_behind[...] = shared[HEAD]
    # What the ends have beside that.
    of_before[FIRST] += even[FIRST]
    of_behind[LAST] += odd[LAST]
    of_here[FIRST] += odd[FIRST]
    of_here[LAST] += even[LAST]
    near_first, near_last = padding.places
    of_before[near_first] += padding.weight * odd[FIRST]
    of_behind[near_last] += padding.weight * even[LAST]

"""Which bands the MSI sees: closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.data.scene import Observation
from paddle_umsft.data.trust import BETWEEN, OUTSIDE, SEEN
from paddle_umsft.trust.support import is_seen, support_classes, support_words

BANDS = 20


def observation(**known: object) -> Observation:
    return Observation(np.ones((4, 5, BANDS), np.float32), np.ones((8, 10, 2), np.float32), 2, **known)


def test_given_supports_and_srf_decide_before_anything_learned() -> None:
    learned = np.ones((2, BANDS))
    by_supports = is_seen(observation(supports=((2, 4), (8, 10))), learned)
    assert np.flatnonzero(by_supports).tolist() == [2, 3, 8, 9]
    srf = np.zeros((2, BANDS))
    srf[0, 5:8] = [0.2, 1.0, 0.05]  # the last is a tail
    srf[1, 12] = 0.01  # however weak, it is its band's largest
    assert np.flatnonzero(is_seen(observation(srf=srf, supports=((2, 4), (8, 10))), learned)).tolist() == [5, 6, 12]
    assert is_seen(observation(), None).all()
    assert is_seen(observation(), np.zeros((2, BANDS))).all()


def test_gaps_are_between_and_the_far_end_is_outside() -> None:
    seen = np.zeros(BANDS, dtype=bool)
    seen[[0, 1, 5]] = True
    classes = support_classes(seen)
    # Bands 2-4 lie between seen ones, 6 is next to the last one, the rest is farther than a tenth of the range.
    assert classes.tolist() == [SEEN, SEEN, BETWEEN, BETWEEN, BETWEEN, SEEN, BETWEEN] + [OUTSIDE] * 13
    assert support_words(classes) == "bands 7-19 lie outside what the MSI sees: extrapolated from the others"
    classes[:19] = SEEN
    assert support_words(classes) == "band 19 lies outside what the MSI sees: extrapolated from the others"


def test_infrared_under_an_rgb_image_is_named_with_its_wavelengths() -> None:
    wavelengths_nm = np.concatenate([np.arange(400.0, 700.0, 50.0), np.arange(1000.0, 2400.0, 100.0)])
    seen = wavelengths_nm < 700
    classes = support_classes(seen, wavelengths_nm)
    words = support_words(classes, wavelengths_nm)
    assert words == "bands 6-19 (1000-2300 nm) lie outside what the MSI sees: extrapolated from the others"
    assert support_words(support_classes(np.ones(20, dtype=bool))) == ""


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_the_bands_does_not_matter(order: int) -> None:
    wavelengths_nm = np.linspace(400.0, 1000.0, BANDS)[::order]
    seen = (wavelengths_nm > 450) & (wavelengths_nm < 700)
    outside = support_classes(seen, wavelengths_nm) == OUTSIDE
    # Seen are 463 to 684 nm; the next band to either side, 32 nm farther, is at the edge.
    assert (outside == ((wavelengths_nm < 430) | (wavelengths_nm > 720))).all()

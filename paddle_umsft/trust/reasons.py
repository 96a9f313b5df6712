"""What a verdict rests on: one function a question, each answer a class and a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.trust import Reason
from paddle_umsft.trust.support import support_words

# Shares of the MSI's contrast that the HSI explains on LR pixels left out. A real pair of two sensors without a tone
# curve reaches 0.95 and more, an aerial photograph over a hyperspectral scan 0.7; two strangers hardly 0.2.
BELONGING = 0.5
WELL_EXPLAINED = 0.9
# Shares of the LR-HSI's contrast that the result gives back when it is blurred again.
GIVEN_BACK = 0.5
WELL_GIVEN_BACK = 0.9
# An expected error this near to that of plain interpolation makes all the effort vain.
HARDLY_BETTER = 0.9
# Findings that leave a part of the result to guesswork, however well they were dealt with.
GUESSED = {
    "moved": "the images do not show the same everywhere: only the MSI is used there",
    "drowned bands": "bands of nothing but noise were rebuilt from the others",
}
PERCENT = 100.0


def about_belonging(share: float) -> Reason:
    """Whether the two images show one scene.

    Args:
        share: See `common_share`; NaN: nobody can tell.
    """
    if not np.isfinite(share):
        return Reason("care", "too few LR pixels to tell whether the two images belong together")
    correlation = np.sqrt(max(share, 0.0))
    if share < BELONGING:
        return Reason(
            "bad",
            f"the two images do not belong together (correlation {correlation:.2f}); are they of one scene, aligned, "
            "linear (no gamma)?",
        )
    explained = f"{PERCENT * share:.0f} %"
    if share < WELL_EXPLAINED:
        return Reason("care", f"the two images share only {explained} of what the MSI shows: aligned, linear?")
    return Reason("good", f"the images agree ({explained})")


def about_agreement(share: float) -> Optional[Reason]:
    """Whether the result is one of this HSI.

    Args:
        share: Part of the LR-HSI's contrast that PSF(result) explains.
    """
    if share >= WELL_GIVEN_BACK:
        return None
    explained = f"{PERCENT * max(share, 0.0):.0f} %"
    words = f"blurred again, the result gives back only {explained} of the LR-HSI"
    if share < GIVEN_BACK:
        return Reason("bad", words)
    return Reason("care", words)


def about_error(expected: float, interpolated: float, level: float) -> Reason:
    """How large the error is likely to be.

    Args:
        expected: Root mean square of the expected error.
        interpolated: The same of interpolation alone.
        level: Root mean square of the result.
    """
    if not np.isfinite(expected):
        return Reason("bad", "the result holds values that are no numbers")
    relative = PERCENT * expected / max(level, np.finfo(np.float64).tiny)
    words = f"expected error {expected:.2g} ({relative:.2g} % of the values), {interpolated:.2g} by interpolation alone"
    if expected > HARDLY_BETTER * interpolated:
        return Reason("care", f"hardly better than interpolation: {words}")
    return Reason("good", words)


def about_support(classes: np.ndarray, wavelengths_nm: Optional[np.ndarray]) -> Optional[Reason]:
    """Whether the MSI sees all bands."""
    words = support_words(classes, wavelengths_nm)
    if not words:
        return None
    return Reason("care", words)


def about_findings(found: Mapping[str, Any]) -> list[Reason]:
    """What was found in the pair and undone, and what that leaves to guesswork."""
    reasons = []
    undone = []
    for name in found:
        if name in GUESSED:
            reasons.append(Reason("care", GUESSED[name]))
        else:
            undone.append(name)
    if undone:
        reasons.append(Reason("good", f"found and undone: {', '.join(undone)}"))
    return reasons


def about_truth(figure: float, interpolated: float) -> Optional[Reason]:
    """Whether a result is worth its name, where there is a truth.

    Args:
        figure: PSNR of the result.
        interpolated: PSNR of bicubic interpolation.
    """
    if figure >= interpolated:
        return None
    return Reason("bad", f"worse than bicubic against the truth ({figure:.2f} dB, bicubic {interpolated:.2f} dB)")

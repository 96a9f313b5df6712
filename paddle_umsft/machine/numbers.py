"""Whole numbers that stand in text from outside."""

from __future__ import annotations

from typing import Optional

# Nothing that is counted here has more; Python itself refuses numbers of more than some thousand.
MOST_DIGITS = 18


def whole_number(text: str) -> Optional[int]:
    """Read a whole number without a sign; None where the text is none, or one beyond all measure.

    Args:
        text: "12"; blanks around it do not count. "²" is a digit, but no number.
    """
    digits = text.strip()
    if not digits.isdecimal() or len(digits) > MOST_DIGITS:
        return None
    return int(digits)

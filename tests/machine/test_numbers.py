"""Whole numbers in text from outside."""

from __future__ import annotations

from typing import Optional

import pytest

from paddle_umsft.data.natural import natural
from paddle_umsft.machine.numbers import whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" 7 ", 7), ("0", 0), ("", None), ("-1", None), ("1.0", None), ("²", None), ("9" * 5000, None)],
)
def test_what_is_a_number(text: str, number: Optional[int]) -> None:
    assert whole_number(text) == number


def test_names_with_digits_that_are_no_numbers_have_an_order() -> None:
    assert sorted(["a10", "a²", "a2", "²"], key=natural) == ["a2", "a10", "a²", "²"]

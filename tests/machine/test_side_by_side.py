"""How many cores NumPy's products are held to, by several threads of one process at once."""

from __future__ import annotations

from typing import Any

import pytest

from paddle_umsft.machine.side_by_side import products_on, side_by_side


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What threadpoolctl is asked for, and when that is taken back."""
    said: list[Any] = []

    class Limits:
        def __init__(self, limits: int) -> None:
            said.append(limits)

        def restore_original_limits(self) -> None:
            said.append("back")

    monkeypatch.setattr("threadpoolctl.threadpool_limits", Limits)
    return said


def test_the_first_one_sets_the_limit_and_the_last_one_takes_it_back(told: list[Any]) -> None:
    """In whatever order they end: else the process would stay at the limit for ever."""
    one, other = products_on(1), products_on(1)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert told == [1]
    other.__exit__(None, None, None)
    assert told == [1, "back"]
    with products_on(2):
        assert told == [1, "back", 2]
    assert told[-1] == "back"


def test_a_mistake_takes_it_back_too(told: list[Any]) -> None:
    with pytest.raises(ZeroDivisionError), products_on(1):
        raise ZeroDivisionError
    assert told == [1, "back"]


def test_threads_share_the_cores_and_keep_their_order(told: list[Any]) -> None:
    assert list(side_by_side(lambda number: number**2, range(7), 2)) == [0, 1, 4, 9, 16, 25, 36]
    assert told[1:] == ["back"]
    assert told[0] >= 1

"""Work of one process on several threads, in order, with no more threads than there are cores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Callable, TypeVar

from paddle_umsft.machine.environment import default_threads
from paddle_umsft.machine.numbers import whole_number

Item = TypeVar("Item")
Made = TypeVar("Made")


def side_by_side(
    work: Callable[[Item], Made],
    items: Sequence[Item],
    threads: int,
) -> Iterator[Made]:
    """Yield what is made of each item, in their order: a few at a time, so that results do not pile up.

    What numpy multiplies by is held to its share of the cores meanwhile: two threads that each ask for both of two
    cores are slower than one.

    Args:
        work: Called from several threads.
        items: One call each.
        threads: At a time.
    """
    with _shared_cores(threads), ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(items), threads):
            yield from pool.map(work, items[first : first + threads])


def allowed_threads() -> int:
    """Threads that this process may keep at work: as many as numpy's products where that is said, else all cores."""
    told = whole_number(os.environ.get("OMP_NUM_THREADS", ""))
    if told is None or told < 1:
        return default_threads()
    return min(told, default_threads())


def _shared_cores(threads: int) -> AbstractContextManager[Any]:
    """Cores of each thread, where threadpoolctl can say so."""
    if threads == 1:
        return nullcontext()
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        # Then OMP_NUM_THREADS has to be set by whoever starts the process.
        return nullcontext()
    limited: AbstractContextManager[Any] = threadpool_limits(limits=max(1, default_threads() // threads))
    return limited

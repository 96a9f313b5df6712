"""Work of one process on several threads, in order, with no more threads than there are cores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any, Callable, Optional, TypeVar

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
    """Cores of each thread."""
    if threads == 1:
        return nullcontext()
    return products_on(max(1, default_threads() // threads))


class _Held:
    """What NumPy's products are held to, by however many threads of the process that ask for it at once.

    The limit is the process's own: the first one sets it, the last one takes it back.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.count = 0
        self.limits: Optional[Any] = None

    def take(self, cores: int) -> None:
        """Hold products to some cores, where threadpoolctl can do so and nobody holds them yet."""
        with self.lock:
            self.count += 1
            if self.count > 1:
                return
            try:
                from threadpoolctl import threadpool_limits
            except ImportError:
                # Then OMP_NUM_THREADS has to be set by whoever starts the process.
                return
            self.limits = threadpool_limits(limits=cores)

    def give_back(self) -> None:
        """Let go of them, once nobody needs it any more."""
        with self.lock:
            self.count -= 1
            if self.count == 0 and self.limits is not None:
                self.limits.restore_original_limits()
                self.limits = None


_HELD = _Held()


@contextmanager
def products_on(cores: int) -> Iterator[None]:
    """Hold NumPy's products to some cores for a while: small ones take longer on two than on one.

    Args:
        cores: At least 1.
    """
    _HELD.take(cores)
    try:
        yield
    finally:
        _HELD.give_back()

"""Which share of a run's work is this process's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.environment import default_threads
from paddle_umsft.machine.numbers import whole_number

# What paddle.distributed.launch tells each of its processes.
RANK_VARIABLE = "PADDLE_TRAINER_ID"
SIZE_VARIABLE = "PADDLE_TRAINERS_NUM"


def share_of_work() -> tuple[int, int]:
    """(rank, size) of this process among those started by paddle.distributed.launch; (0, 1) alone."""
    rank = os.environ.get(RANK_VARIABLE, "0")
    size = os.environ.get(SIZE_VARIABLE, "1")
    where = f"{RANK_VARIABLE}, {SIZE_VARIABLE}"
    try:
        share = int(rank), max(int(size), 1)
    except ValueError:
        raise ConfigError("not numbers", where=where, got=f"{rank}, {size}") from None
    if not 0 <= share[0] < share[1]:
        raise ConfigError("no such share of the work", where=where, expected="0 <= rank < size", got=f"{rank}, {size}")
    return share


def take_share(text: str) -> None:
    """Make this process one of several that were started by something else than paddle.distributed.launch.

    Args:
        text: "i/n": the i-th of n, counted from 0, as a Slurm array has it.

    Raises:
        ConfigError: It is no such share.
    """
    rank, _, size = text.partition("/")
    number = whole_number(rank)
    count = whole_number(size)
    if number is None or count is None or number >= count:
        raise ConfigError("share of the work", where="--share", expected="i/n, i from 0 to n - 1", got=text)
    os.environ[RANK_VARIABLE] = rank
    os.environ[SIZE_VARIABLE] = size


@contextmanager
def threads_shared() -> Iterator[None]:
    """Let processes that work side by side not have more threads together than there are cores.

    Each takes its part of the cores of its machine, as far as the launcher tells how many there are; alone, a process
    has all of them.
    """
    _, size = share_of_work()
    if size == 1:
        yield
        return
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        # Then OMP_NUM_THREADS has to be set by whoever starts them.
        yield
        return
    with threadpool_limits(limits=default_threads()):
        yield

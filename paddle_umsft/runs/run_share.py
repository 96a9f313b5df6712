"""Which share of a run's work is this process's."""

from __future__ import annotations

import os

from paddle_umsft.errors import ConfigError

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

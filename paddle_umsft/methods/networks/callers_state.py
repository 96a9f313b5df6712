"""Paddle's global state while a network is fitted: set for it, one fit at a time, and the caller's own afterwards.

Memory that a fit leaves behind is given back, too.

Gradients may be off (`paddle.no_grad()`), seeds are global, and so are the names of parameters: two fits at once in one
process would draw from each other's generators.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

import numpy as np
import paddle

from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.memory import UNITS, give_back, resident_bytes
from paddle_umsft.methods.networks.tensor_init import nothing_left_behind

# A fit that leaves more than this behind is worth the tenth of a second that it takes to give it back. Paddle itself,
# imported, has five times as much.
LEFT_BEHIND = 64 * UNITS["M"]
# Held by the thread that fits; the others wait. It may fuse again from within (`on_record`).
_one_at_a_time = threading.RLock()


@contextmanager
def callers_state_kept() -> Iterator[None]:
    """Learn with gradients, whatever the caller's mode; leave the device and every random generator as they were.

    Raises:
        ConfigError: Paddle is in static mode, where nothing is computed at once.
    """
    if not paddle.in_dynamic_mode():
        raise ConfigError("Paddle is in static mode", where="fuse", hint="paddle.disable_static() before it")
    with _one_at_a_time:
        device = paddle.get_device()
        generators = paddle.get_rng_state()
        numpy_state = np.random.get_state()
        python_state = random.getstate()
        before = resident_bytes()
        try:
            with paddle.enable_grad(), nothing_left_behind():
                yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            paddle.set_device(device)
            paddle.set_rng_state(generators)
            _give_back_if_grown(before)


def _give_back_if_grown(before: Optional[int]) -> None:
    """Give memory back, if this process has grown much.

    Args:
        before: Bytes that it had; None: the system does not tell.
    """
    now = resident_bytes()
    if before is None or now is None:
        return
    if now - before > LEFT_BEHIND:
        give_back()

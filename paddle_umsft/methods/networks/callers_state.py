"""Paddle's global state while a network is fitted: set for it, one fit at a time, and the caller's own afterwards.

Gradients may be off (`paddle.no_grad()`), seeds are global, and so are the names of parameters: two fits at once in one
process would draw from each other's generators.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import paddle

from paddle_umsft.errors import ConfigError

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
        try:
            with paddle.enable_grad():
                yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            paddle.set_device(device)
            paddle.set_rng_state(generators)

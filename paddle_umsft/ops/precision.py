"""For GPUs: mixed precision, repeatable cuDNN, and recomputation on the plain path.

None of this could be measured on a GPU here; what can be tested on a CPU is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

import paddle

from paddle_umsft.errors import ConfigError
from paddle_umsft.ops import mode


class MixedPrecision:
    """Automatic mixed precision around forward, backward and update; with "off" it does nothing.

    Args:
        level: "off" or "O1" (Paddle's list of operators runs in `dtype`, the rest in float32).
        dtype: "float16" with loss scaling, or "bfloat16" without.

    Attributes:
        active: Whether it does anything: Paddle has no mixed precision on CPUs.

    Raises:
        ConfigError: If the level is neither.
    """

    def __init__(self, level: str = "off", *, dtype: str = "float16") -> None:
        if level not in ("off", "O1"):
            raise ConfigError("unknown level", where="runtime.amp", expected="off or O1", got=level)
        self.active = level == "O1" and paddle.get_device().startswith("gpu")
        self.dtype = dtype
        scaling = self.active and dtype == "float16"
        self._scaler: Optional[Any] = paddle.amp.GradScaler(init_loss_scaling=1024.0) if scaling else None

    @contextmanager
    def forward(self) -> Iterator[None]:
        """The network and its losses belong in here."""
        if not self.active:
            yield
            return
        with paddle.amp.auto_cast(level="O1", dtype=self.dtype):
            yield

    def backward(self, loss: paddle.Tensor) -> None:
        """Backward pass, of the scaled loss where there is scaling."""
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()

    def step(self, optimizer: Any) -> None:
        """Update by one optimiser; a step whose scaled gradients are not finite is left out."""
        if self._scaler is None:
            optimizer.step()
        else:
            self._scaler.step(optimizer)

    def update(self) -> None:
        """Adapt the scale, once all optimisers have stepped."""
        if self._scaler is not None:
            self._scaler.update()


def set_cudnn(*, deterministic: bool, search: bool = False) -> bool:
    """Ask cuDNN for repeatable algorithms, and whether to try them all for the fastest first.

    Returns:
        False where Paddle has no CUDA and nothing was done.
    """
    if not paddle.device.is_compiled_with_cuda():
        return False
    paddle.set_flags(
        {
            "FLAGS_cudnn_deterministic": deterministic,
            "FLAGS_embedding_deterministic": int(deterministic),
            "FLAGS_cudnn_exhaustive_search": search and not deterministic,
        }
    )
    return True


def recomputed(function: Callable[[paddle.Tensor], Any], x: paddle.Tensor) -> Any:
    """function(x), whose activations are not kept but computed again in the backward pass, where that is asked for.

    For the plain path; plans have their own way (`ops.set_recompute`). Running statistics of batch normalisation
    move twice a step with it; nothing in this project reads them.
    """
    if not mode.recompute_asked() or not paddle.is_grad_enabled():
        return function(x)
    from paddle.distributed.fleet.utils import recompute

    if x.stop_gradient:  # without any input that wants a gradient Paddle would give none to the parameters either
        x = x.detach()
        x.stop_gradient = False
    return recompute(function, x, preserve_rng_state=False)

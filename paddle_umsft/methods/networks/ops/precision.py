"""For GPUs: mixed precision, repeatable cuDNN, and recomputation on the plain path.

None of this could be measured on a GPU here; what can be tested on a CPU is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

import paddle

from paddle_umsft.errors import ConfigError
from paddle_umsft.methods.networks.ops import mode

# Loss scale to begin with; it grows by itself while the gradients stay finite.
FIRST_SCALE = 1024.0
# So many steps with gradients that are not finite, and Paddle halves the scale: the largest count that it takes.
NEVER = 2**31 - 1


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
            raise ConfigError(
                "unknown level",
                where="runtime.amp",
                expected="off or O1",
                got=level,
            )
        on_gpu = paddle.get_device().startswith("gpu")
        self.active = level == "O1" and on_gpu
        self.dtype = dtype
        self._scaler: Optional[Any] = None
        # float16 has hardly any small numbers: gradients vanish unscaled. bfloat16 has those of float32.
        if self.active and dtype == "float16":
            self._scaler = loss_scaler()

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
        if self._scaler is not None:
            loss = self._scaler.scale(loss)
        loss.backward()

    def step(
        self,
        parameters: Iterable[paddle.Tensor],
        move: Callable[[], None],
    ) -> None:
        """Update by all optimisers together, and adapt the scale; a step with any gradient not finite is left out.

        Args:
            parameters: Everything that moves. A parameter may be named by several optimisers: Paddle's scaler divides
                by the scale in place, so it must see each gradient once (P2).
            move: Lets the optimisers step.
        """
        if self._scaler is None:
            move()
            return
        once = {id(parameter): parameter for parameter in parameters}
        together = _Together(list(once.values()), move)
        self._scaler.step(together)
        self._scaler.update()
        if not together.stepped:
            state = self._scaler.state_dict()
            scale = state["scale"][0]
            self._scaler.set_init_loss_scaling(scale / 2)

    def state_dict(self) -> dict[str, Any]:
        """Scale and counts, for a checkpoint; empty without scaling."""
        if self._scaler is None:
            return {}
        return dict(self._scaler.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where `state_dict` left off; a checkpoint without a scale leaves the initial one."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state)


class _Together:
    """Several optimisers as the one that Paddle's GradScaler knows: it unscales `_parameter_list`, then calls step."""

    def __init__(
        self,
        parameters: list[paddle.Tensor],
        move: Callable[[], None],
    ) -> None:
        self._parameter_list = parameters
        self._move = move
        self.stepped = False

    def step(self) -> None:
        """Called by the scaler if every gradient is finite."""
        self._move()
        self.stepped = True


def loss_scaler() -> Any:
    """Paddle's GradScaler, but for the halving of the scale, which `MixedPrecision.step` does.

    Paddle (3.3.1) prints a line when it halves, and cannot with numpy >= 2.4: float() of an array of one is an error.
    """
    return paddle.amp.GradScaler(
        init_loss_scaling=FIRST_SCALE,
        decr_every_n_nan_or_inf=NEVER,
    )


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

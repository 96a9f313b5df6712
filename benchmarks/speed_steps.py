"""One fusion step of this project and of its PyTorch twins, for benchmarks/speed.py; each in a process of its own."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

ROOT = Path(__file__).resolve().parents[1]
# Whose clock a parent chose.
CLOCK = "SPEED_CLOCK"
CLOCKS = {
    "wall": time.perf_counter,
    "cpu": time.process_time,
}
# Supports that were published, by the bands of HSI and MSI.
PUBLISHED_SPANS = {
    (31, 3): ((20, 31), (10, 23), (0, 12)),
    (128, 4): ((0, 30), (13, 50), (41, 84), (68, 128)),
}
WEIGHT_DECAY = 0.01
UMSFT_RATE = 2e-3
UHNTC_RATE = 8e-3
# So many that the schedule of the twin stays where it begins.
ENDLESS = 10**9


@dataclass(frozen=True)
class Size:
    """Of a scene.

    Attributes:
        bands: C.
        msi_bands: M.
        size: H, and W.
        scale: H / h.
    """

    bands: int
    msi_bands: int
    size: int
    scale: int

    @property
    def name(self) -> str:
        """Bands x MSI bands @ size, s scale."""
        return f"{self.bands}x{self.msi_bands}@{self.size}s{self.scale}"

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Supports: the published ones where there are any, else equal shares."""
        published = PUBLISHED_SPANS.get((self.bands, self.msi_bands))
        if published is not None:
            return published
        edges = []
        for number in range(self.msi_bands + 1):
            edges.append(round(number * self.bands / self.msi_bands))
        return tuple(zip(edges, edges[1:]))


def parse_size(text: str) -> Size:
    """Undo `Size.name`; the scale may be left out (8)."""
    bands, rest = text.split("x")
    msi_bands, rest = rest.split("@")
    size, _, scale = rest.partition("s")
    return Size(
        bands=int(bands),
        msi_bands=int(msi_bands),
        size=int(size),
        scale=int(scale or 8),
    )


def scene(of: Size) -> tuple[np.ndarray, np.ndarray]:
    """LR-HSI and HR-MSI, (1, C, h, w) and (1, M, H, W) float32, the same in every process."""
    # Not sooner: the environment is prepared before libraries look at it.
    import numpy as np

    y, x = np.mgrid[: of.size, : of.size] / 32.0
    band = np.linspace(0, 1, of.bands)[:, None, None]
    waves = np.sin(2 * x + 3 * band) * np.cos(y - band)
    ripples = np.sin(5 * x * y / (1 + band))
    cube = 0.5 + 0.25 * waves + 0.2 * ripples
    cube = cube.astype(np.float32)
    lr_size = of.size // of.scale
    cells = cube.reshape(of.bands, lr_size, of.scale, lr_size, of.scale)
    low = cells.mean(axis=(2, 4))
    seen = []
    for first, end in of.spans:
        seen.append(cube[first:end].mean(axis=0))
    msi = np.stack(seen)
    return low[None], msi[None]


def clock() -> float:
    """Seconds by the clock that the parent chose."""
    name = os.environ.get(CLOCK, "wall")
    return CLOCKS[name]()


class Runner(Protocol):
    """A program that steps.

    Attributes:
        note: What it runs on.
    """

    note: str

    def step(self) -> list[float]:
        """Seconds of forward with losses, backward, and update."""


class Ours:
    """One fusion step of this project.

    Args:
        size: Of the scene.
    """

    trains_srf = True

    def __init__(self, size: Size) -> None:
        import paddle

        from paddle_umsft.methods.networks import ops
        from paddle_umsft.methods.networks.psf_layers import LearnedPsf
        from paddle_umsft.methods.networks.srf_layers import LearnedSrf

        paddle.seed(1)
        self.note = ops.active()
        self.loss_of = paddle.nn.functional.l1_loss
        low, msi = scene(size)
        self.low = paddle.to_tensor(low)
        self.msi = paddle.to_tensor(msi)
        parameters, rate = self._made_net(size)
        self.srf = LearnedSrf(bands=size.bands, supports=size.spans)
        self.psf = LearnedPsf(scale=size.scale)
        trained = [weight for weight in parameters if not weight.stop_gradient]
        if self.trains_srf:
            trained += self.srf.parameters()
        self.optimizer = paddle.optimizer.AdamW(
            rate,
            parameters=trained,
            weight_decay=WEIGHT_DECAY,
        )

    def _made_net(self, size: Size) -> tuple[list[Any], float]:
        """Make the network and its inputs; return its weights and learning rate."""
        from paddle_umsft.methods.umsft.network import UMSFT

        self.net = UMSFT(bands=size.bands, msi_bands=size.msi_bands)
        self.inputs = self.net.prepare(self.low, self.msi)
        return self.net.parameters(), UMSFT_RATE

    def fused(self) -> Any:
        """The cube of one pass."""
        return self.net(self.inputs, self.srf)

    def clear(self) -> None:
        """Forget the gradients."""
        self.optimizer.clear_grad()
        self.psf.clear_gradients()

    def step(self) -> list[float]:
        start = clock()
        fused = self.fused()
        lr_loss = self.loss_of(self.psf(fused), self.low)
        loss = lr_loss + self.loss_of(self.srf(fused), self.msi)
        forward = clock()
        loss.backward()
        backward = clock()
        self.optimizer.step()
        self.clear()
        update = clock()
        return [forward - start, backward - forward, update - backward]


class OursUhntc(Ours):
    """One fusion step of this project's uHNTC, which leaves the SRF as it is."""

    trains_srf = False

    def _made_net(self, size: Size) -> tuple[list[Any], float]:
        from paddle_umsft.methods.uhntc.network import UHNTC

        self.net = UHNTC(bands=size.bands, msi_bands=size.msi_bands)
        self.inputs = self.net.prepare(self.low, self.msi)
        return self.net.parameters(), UHNTC_RATE

    def fused(self) -> Any:
        return self.net(self.inputs)

    def step(self) -> list[float]:
        seconds = super().step()
        # Not of the step: nobody needs these gradients.
        self.srf.clear_gradients()
        return seconds


class Torch:
    """One fusion step of the PyTorch twin.

    Args:
        size: Of the scene.
        is_trimmed: Whether the layers that nothing depends on are cut.
    """

    def __init__(self, size: Size, *, is_trimmed: bool) -> None:
        sys.path.insert(0, str(ROOT / "tests" / "parity"))
        import torch

        torch.manual_seed(1)
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.note = f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread(s)"
        low, msi = scene(size)
        self.fusion = self._made_fusion(
            size,
            torch.from_numpy(low),
            torch.from_numpy(msi),
            is_trimmed,
        )

    def _made_fusion(
        self,
        size: Size,
        low: Any,
        msi: Any,
        is_trimmed: bool,
    ) -> Any:
        import torch_twin

        srf = torch_twin.SrfNet(size.spans)
        net = torch_twin.Umsft(low, msi, srf, not is_trimmed)
        psf = torch_twin.PsfNet(size.scale)
        return torch_twin.Fusion(net, psf, low, msi, steps=ENDLESS)

    def step(self) -> list[float]:
        start = clock()
        loss, _ = self.fusion.loss()
        forward = clock()
        loss.backward()
        backward = clock()
        self.fusion.optimiser.step()
        self.fusion.optimiser.zero_grad()
        self.fusion.psf.zero_grad()
        update = clock()
        return [forward - start, backward - forward, update - backward]


class TorchUhntc(Torch):
    """One fusion step of uHNTC's PyTorch twin, which has nothing to cut."""

    def _made_fusion(
        self,
        size: Size,
        low: Any,
        msi: Any,
        is_trimmed: bool,
    ) -> Any:
        import torch_twin
        import torch_twin_uhntc

        net = torch_twin_uhntc.Uhntc(low, msi)
        psf = torch_twin.PsfNet(size.scale)
        srf = torch_twin.SrfNet(size.spans)
        # One phase that never ends: both losses, and only the network moves.
        phases = [(ENDLESS, {"hsi": 1.0, "msi": 1.0}, False)]
        return torch_twin_uhntc.Fusion(net, psf, srf, low, msi, phases)

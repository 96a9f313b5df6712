"""A PyTorch twin of the published UMSFT: the network, the two learned degradations and steps 1-4.

Written from the description of what the published code computes, with the published names of all tensors,
so that `load_state_dict(strict=True)` takes a published checkpoint. It serves as the other side of the parity
suite and of `benchmarks/speed.py`; the package itself never imports it. Needs torch (an extra).

References:
    X. Cao et al., Unsupervised Multi-level Spatio-spectral Fusion Transformer, Opt. Laser Technol. 2024.
    Published code: Caoxuheng/HIFtool, Networks/FeafusFormer (MIT), commit 6a515e4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Spans = Sequence[tuple[int, int]]
# torchvision's VGG16 with batch normalisation: channels of each convolution, "M" a max-pool.
VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
TAPS = (5, 12, 23)


def zero_mean(x: Tensor) -> Tensor:
    """Each channel of x (B, C, H, W) without its spatial mean."""
    return x - x.mean(dim=(2, 3), keepdim=True)


def gaussian(length: int, sigma: float) -> Tensor:
    """A Gaussian (length,) that sums to 1, at the published integer offsets."""
    first = math.floor(-(length - 1) / 2)
    at = torch.arange(first, first + length, dtype=torch.float64)
    value = torch.exp(-(at**2) / (2 * sigma**2))
    return (value / value.sum()).float()


class SpatialDown(nn.Module):
    """The learned kernel; the published state_dict lists it twice, under two names."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 1, scale + 1, stride=scale, padding=1, padding_mode="circular", bias=False)
        line = gaussian(scale + 1, scale // 2)
        self.down.weight.data = torch.outer(line, line)[None, None]
        self.spadown = self.down


class PsfNet(nn.Module):
    """Learned PSF: every band alike, (B, C, H, W) -> (B, C, H/s, W/s)."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.net = SpatialDown(scale)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        detail = F.elu(self.net.down(zero_mean(x).reshape(b * c, 1, h, w)))
        return detail.reshape(b, c, *detail.shape[2:]) + F.avg_pool2d(x, self.scale, self.scale)


class SrfNet(nn.Module):
    """Learned SRF: (B, C, H, W) -> (B, M, H, W); MSI band j sees HSI bands [a_j, b_j)."""

    def __init__(self, spans: Spans) -> None:
        super().__init__()
        self.spans = [tuple(span) for span in spans]
        self.srf_list = nn.ParameterList([nn.Parameter(gaussian(b - a, 2.0)) for a, b in self.spans])
        self.conv_lst = nn.ModuleList([nn.Conv1d(1, 1, 3, padding=1) for _ in self.spans])

    def responses(self) -> list[Tensor]:
        """Per MSI band its response (b_j - a_j,)."""
        return [F.relu(conv(raw[None, None]))[0, 0] for raw, conv in zip(self.srf_list, self.conv_lst)]

    def forward(self, x: Tensor) -> Tensor:
        bands = [torch.einsum("bchw,c->bhw", x[:, a:b], r) for (a, b), r in zip(self.spans, self.responses())]
        return torch.stack(bands, dim=1)


class Vgg(nn.Module):
    """VGG16-BN features with the three taps in use; `dead_layers` runs on to the end, as published."""

    def __init__(self, bands: int, dead_layers: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = bands
        for item in VGG16:
            if item == "M":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(before, int(item), 3, padding=1), nn.BatchNorm2d(int(item)), nn.ReLU(inplace=True)]
            before = int(item)
        self.extractor = nn.Sequential(*(layers if dead_layers else layers[: TAPS[-1] + 1]))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = (x - 0.5) / 0.5
        taps = []
        for i, layer in enumerate(self.extractor):
            x = layer(x)
            if i in TAPS:
                taps.append(x)
        return taps


class Numbered(nn.Sequential):
    """A Sequential whose children are numbered from 1, as the hourglass's are."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        for i, layer in enumerate(layers, start=1):
            self.add_module(str(i), layer)


class Concat(nn.Module):
    """Both branches side by side, cropped about the centre to the smaller height and width."""

    def __init__(self, skip: nn.Module, deeper: nn.Module) -> None:
        super().__init__()
        self.add_module("0", skip)
        self.add_module("1", deeper)

    def forward(self, x: Tensor) -> Tensor:
        parts = [branch(x) for branch in self.children()]
        h, w = (min(p.shape[d] for p in parts) for d in (2, 3))
        cut = []
        for p in parts:
            top, left = (p.shape[2] - h) // 2, (p.shape[3] - w) // 2
            cut.append(p[:, :, top : top + h, left : left + w])
        return torch.cat(cut, dim=1)


def conv(inside: int, outside: int, kernel: int, reflect: bool, stride: int = 1) -> nn.Sequential:
    """A convolution one step deeper in the names: at index 0, or at 1 behind a reflection pad."""
    pad = (kernel - 1) // 2
    if reflect:
        return nn.Sequential(nn.ReflectionPad2d(pad), nn.Conv2d(inside, outside, kernel, stride))
    return nn.Sequential(nn.Conv2d(inside, outside, kernel, stride, padding=pad))


def hourglass(
    inside: int, outside: int, *, scales: int, reflect: bool, mode: str, sigmoid: bool, width: int = 191, skip: int = 20
) -> nn.Sequential:
    """The skip U-Net, (B, inside, H, W) -> (B, outside, H, W)."""
    core = _scale(inside, scales, reflect, mode, width, skip)
    layers = [*core, conv(width, outside, 1, reflect)]
    return Numbered(*layers, *([nn.Sigmoid()] if sigmoid else []))


def _scale(inside: int, scales: int, reflect: bool, mode: str, width: int, skip: int) -> list[nn.Module]:
    def act() -> nn.Module:
        return nn.LeakyReLU(0.2, inplace=True)

    side = Numbered(conv(inside, skip, 1, reflect), nn.BatchNorm2d(skip), act())
    deeper: list[nn.Module] = [conv(inside, width, 3, reflect, stride=2), nn.BatchNorm2d(width), act()]
    deeper += [conv(width, width, 3, reflect), nn.BatchNorm2d(width), act()]
    # Made before the next scale, as deep-image-prior's U-Net is: the order decides what a seed draws.
    after = [nn.BatchNorm2d(skip + width), conv(skip + width, width, 3, reflect), nn.BatchNorm2d(width), act()]
    after += [conv(width, width, 1, reflect), nn.BatchNorm2d(width), act()]
    if scales > 1:
        deeper.append(Numbered(*_scale(width, scales - 1, reflect, mode, width, skip)))
    deeper.append(nn.Upsample(scale_factor=2, mode=mode, align_corners=False))
    return [Concat(side, Numbered(*deeper)), *after]


class SpectralCrossAttention(nn.Module):
    """Spe-FCA: attention along the spectrum, 5 heads of C//5."""

    def __init__(self, channels: int, heads: int = 5) -> None:
        super().__init__()
        self.heads, self.size = heads, channels // heads
        inner = heads * self.size
        self.w_qs = nn.Linear(channels, inner, bias=False)
        self.w_ks = nn.Linear(channels, inner, bias=False)
        self.w_vs = nn.Linear(channels, inner, bias=False)
        self.fc = nn.Linear(inner, channels, bias=False)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        b, c, h, w = value.shape

        def split(x: Tensor, linear: nn.Module) -> Tensor:
            flat = linear(x.flatten(2).transpose(1, 2))
            return flat.reshape(b, h * w, self.heads, self.size).permute(0, 2, 3, 1)

        q, k, v = split(query, self.w_qs), split(key, self.w_ks), split(value, self.w_vs)
        weights = torch.softmax((q / math.sqrt(c)) @ k.transpose(2, 3), dim=-1)
        out = (weights @ v).permute(0, 3, 1, 2).reshape(b, h * w, -1)
        return value + zero_mean(self.fc(out).transpose(1, 2).reshape(b, c, h, w))


class SpatialFusion(nn.Module):
    """Spa-FM: the MSI residual, refined, added back. It holds the learned SRF as a child, as published."""

    def __init__(self, channels: int, msi_bands: int, srf: SrfNet) -> None:
        super().__init__()
        self.srf = srf
        two = 2 * msi_bands
        self.refine = nn.Sequential(nn.Conv2d(msi_bands, two, 1), nn.ELU(), nn.Conv2d(two, channels, 1), nn.ELU())

    def forward(self, x: Tensor, msi: Tensor) -> Tensor:
        return F.elu(zero_mean(self.refine(msi - self.srf(x))) + x)


def merge(inside: int, outside: int, kernel: int = 1) -> nn.Sequential:
    """Encoder tap -> C channels."""
    first = nn.Conv2d(inside, outside, kernel, padding=kernel // 2)
    return nn.Sequential(first, nn.ELU(), nn.Conv2d(outside, outside, 3, padding=1))


class Umsft(nn.Module):
    """The network; `dead_layers=False` cuts the encoders after their last used tap (same numbers)."""

    def __init__(self, lr_hsi: Tensor, hr_msi: Tensor, srf: SrfNet, dead_layers: bool = True) -> None:
        super().__init__()
        c, m = lr_hsi.shape[1], hr_msi.shape[1]
        h, w = hr_msi.shape[2:]
        self.sizes = ((h // 8, w // 8), (h // 2, w // 2), (h, w))
        self.hsi_full = F.interpolate(lr_hsi, size=(h, w), mode="bilinear", align_corners=False)
        self.hsi_8 = F.interpolate(lr_hsi, size=self.sizes[0], mode="nearest")
        self.msi = [F.interpolate(hr_msi, size=size, mode="nearest") for size in self.sizes[:2]] + [hr_msi]
        self.attention, self.attention2, self.attention3 = (SpectralCrossAttention(c) for _ in range(3))
        self.super = hourglass(c + m, c, scales=3, reflect=False, mode="bicubic", sigmoid=True)
        self.super2 = hourglass(c + m, c, scales=2, reflect=True, mode="bilinear", sigmoid=False)
        self.super3 = hourglass(c + m, c, scales=2, reflect=True, mode="bilinear", sigmoid=True)
        for number, (taps, kernel) in enumerate(((256, 3), (256, 1), (128, 1), (128, 1), (64, 1), (64, 1)), start=1):
            setattr(self, f"FeatureMerge{number}", merge(taps, c, kernel))
        self.HSIFE = Vgg(c, dead_layers)
        self.MSIFE = Vgg(m, dead_layers)
        self.rm = SpatialFusion(c, m, srf)

    def forward(self, seams: dict[str, Tensor] | None = None) -> Tensor:
        """The fused image (B, C, H, W); `seams`, if given, receives the tensors on the way."""
        seams = {} if seams is None else seams
        hsi_taps, msi_taps = self.HSIFE(self.hsi_full), self.MSIFE(self.msi[2])
        for i in range(3):
            seams[f"hsi_feature{i}"], seams[f"msi_feature{i}"] = hsi_taps[i], msi_taps[i]
        x = self.hsi_8
        for level, name in enumerate(("", "2", "3")):
            msi = self.msi[level]
            if level:
                x = F.interpolate(x, size=self.sizes[level], mode="nearest")
            x = getattr(self, "super" + name)(torch.cat([x, msi], dim=1))
            seams[f"level{level + 1}_denoiser"] = x
            query = getattr(self, f"FeatureMerge{2 * level + 2}")(msi_taps[2 - level])
            key = getattr(self, f"FeatureMerge{2 * level + 1}")(hsi_taps[2 - level])
            x = getattr(self, "attention" + name)(query, key, x)
            seams[f"level{level + 1}_attention"] = x
            x = self.rm(x, msi)
            seams[f"level{level + 1}_spafm"] = x
        seams["output"] = x
        return x


def subspace(lr_hsi: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Basis (C, K) = U S and coefficients (K, hw) = V^T of the unfolded (1, C, h, w) image."""
    u, s, vh = torch.linalg.svd(lr_hsi[0].flatten(1), full_matrices=False)
    return u[:, :rank] * s[:rank], vh[:rank]


def subspace_msi(srf: SrfNet, basis: Tensor, coeffs: Tensor, size: tuple[int, int]) -> Tensor:
    """SRF of the basis vectors times the coefficients, (1, M, h, w)."""
    seen = srf(basis[None, :, :, None])[0, :, :, 0]
    return (seen @ coeffs).reshape(1, -1, *size)


def srf_loss(srf: SrfNet, lr_hsi: Tensor, hr_msi: Tensor, scale: int) -> Tensor:
    """Step 1: L1 of both images, blurred alike, through the SRF."""
    blurred_msi = F.avg_pool2d(F.pad(hr_msi, (scale,) * 4, mode="reflect"), 2 * scale + 1, scale)
    blurred_hsi = F.avg_pool2d(F.pad(lr_hsi, (1,) * 4, mode="reflect"), 3, 1)
    return F.l1_loss(blurred_msi, srf(blurred_hsi))


def psf_loss(psf: PsfNet, hr_msi: Tensor, target: Tensor) -> Tensor:
    """Step 2: minus the PSNR (range 1, mean over bands) of PSF(hr_msi) against SRF(lr_hsi)."""
    mse = ((psf(hr_msi) - target) ** 2).mean(dim=(0, 2, 3))
    return -(10 * torch.log10(1 / mse)).mean()


def both_losses(
    psf: PsfNet, srf: SrfNet, lr_hsi: Tensor, hr_msi: Tensor, basis: Tensor, coeffs: Tensor
) -> tuple[Tensor, Tensor]:
    """Step 3: L1(PSF(msi), subspace MSI) and L1(PSF(msi), SRF(lr_hsi))."""
    down = psf(hr_msi)
    size = (lr_hsi.shape[2], lr_hsi.shape[3])
    return F.l1_loss(down, subspace_msi(srf, basis, coeffs, size)), F.l1_loss(down, srf(lr_hsi))


def fusion_losses(fused: Tensor, psf: PsfNet, srf: SrfNet, lr_hsi: Tensor, hr_msi: Tensor) -> tuple[Tensor, Tensor]:
    """Step 4: L1(PSF(fused), lr_hsi) and L1(SRF(fused), hr_msi)."""
    return F.l1_loss(psf(fused), lr_hsi), F.l1_loss(srf(fused), hr_msi)


def fit_srf(srf: SrfNet, lr_hsi: Tensor, hr_msi: Tensor, scale: int, steps: int = 500) -> list[float]:
    """Step 1; returns the loss of every step, before its update."""
    optimiser = torch.optim.Adam(srf.parameters(), lr=0.01, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 50, 0.9)
    return [_update(srf_loss(srf, lr_hsi, hr_msi, scale), [optimiser], [schedule]) for _ in range(steps)]


def fit_psf(psf: PsfNet, srf: SrfNet, lr_hsi: Tensor, hr_msi: Tensor, steps: int = 500) -> list[float]:
    """Step 2; the SRF stands still."""
    optimiser = torch.optim.Adam(psf.parameters(), lr=5e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 50, 0.5)
    target = srf(lr_hsi).detach()
    return [_update(psf_loss(psf, hr_msi, target), [optimiser], [schedule]) for _ in range(steps)]


def fit_both(psf: PsfNet, srf: SrfNet, lr_hsi: Tensor, hr_msi: Tensor, rank: int = 3, steps: int = 500) -> list[float]:
    """Step 3; one optimiser each."""
    basis, coeffs = subspace(lr_hsi, rank)
    optimisers = [torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-4) for net in (psf, srf)]
    schedules = [torch.optim.lr_scheduler.StepLR(o, 50, 0.8) for o in optimisers]
    return [
        _update(sum(both_losses(psf, srf, lr_hsi, hr_msi, basis, coeffs)), optimisers, schedules) for _ in range(steps)
    ]


def _update(loss: Any, optimisers: Sequence[Any], schedules: Sequence[Any]) -> float:
    for optimiser in optimisers:
        optimiser.zero_grad()
    loss.backward()
    for stepper in (*optimisers, *schedules):
        stepper.step()
    return float(loss.detach())


class Fusion:
    """Step 4: the optimisers and schedule of the fusion; `step()` runs one of `steps` updates.

    Args:
        net: The network, whose child `rm.srf` is `srf` (oddity P2: the fusion optimiser moves it too).
        psf: Learned PSF.
        lr_hsi: (1, C, h, w).
        hr_msi: (1, M, H, W).
        steps: N; the joint stage begins after N // 3 of them.
        rank: K of the subspace.
    """

    def __init__(
        self, net: Umsft, psf: PsfNet, lr_hsi: Tensor, hr_msi: Tensor, steps: int = 300, rank: int = 3
    ) -> None:
        self.net, self.psf, self.srf = net, psf, net.rm.srf
        self.lr_hsi, self.hr_msi = lr_hsi, hr_msi
        self.first, self.done = steps // 3, 0
        self.optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimiser, 100, 0.99)
        self.degradations = [torch.optim.AdamW(n.parameters(), lr=1e-5, weight_decay=0.01) for n in (psf, self.srf)]
        self.basis, self.coeffs = subspace(lr_hsi, rank)

    def loss(self) -> tuple[Tensor, Tensor]:
        """The loss of the present stage and the fused image."""
        fused = self.net()
        total = sum(fusion_losses(fused, self.psf, self.srf, self.lr_hsi, self.hr_msi))
        if self.done >= self.first:
            total = total + sum(both_losses(self.psf, self.srf, self.lr_hsi, self.hr_msi, self.basis, self.coeffs))
        return total, fused.detach()

    def step(self) -> tuple[float, Tensor]:
        """One update; returns its loss and its fused image, both from before the update."""
        total, fused = self.loss()
        joint = self.done >= self.first
        self.psf.zero_grad()
        value = _update(total, [self.optimiser, *(self.degradations if joint else [])], [self.schedule])
        self.done += 1
        return value, fused

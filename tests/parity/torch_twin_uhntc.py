"""A PyTorch twin of the published uHNTC (FeafusFormer): the network, its losses and its fusion steps.

Written from the description of what the published code computes, with the published names of all tensors. One thing
is otherwise there: the query convolution, drawn anew at every step in the published code, is one layer here (P12), so
that its two tensors come on top of the published ones. The attentions that are never called are built on request only.
Degradations, subspace and step 3 are those of `torch_twin`, which both methods share.

References:
    X. Cao et al., Unsupervised Hybrid Network of Transformer and CNN, IEEE TGRS 62, 2024.
    Published code: Caoxuheng/FeafusFormer (MIT), commit d5c5de2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_twin import Numbered, PsfNet, SrfNet, both_losses, fusion_losses, subspace, zero_mean

# torchvision's VGG16 with batch normalisation, up to layer 21: channels of each convolution, "M" a max-pool.
VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256)
TAPS = (5, 12, 21)
# torchvision's VGG19 without batch normalisation, up to layer 14.
VGG19 = (64, 64, "M", 128, 128, "M", 256, 256, 256)
PERCEPTUAL = {2: 1.0, 7: 0.2, 14: 0.04}
MIDDLE = 2.06


def vgg_layers(plan: tuple[int | str, ...], bands: int, *, norm: bool, last: int) -> list[nn.Module]:
    """torchvision's feature stack, ReLUs in place as there, cut behind layer `last`."""
    layers: list[nn.Module] = []
    before = bands
    for item in plan:
        if item == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(before, int(item), 3, padding=1))
        if norm:
            layers.append(nn.BatchNorm2d(int(item)))
        layers.append(nn.ReLU(inplace=True))
        before = int(item)
    return layers[: last + 1]


class Encoder(nn.Module):
    """The shared VGG, `FE` there."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*vgg_layers(VGG16, bands, norm=True, last=TAPS[-1]))

    def forward(self, x: Tensor, first: nn.Module | None = None) -> list[Tensor]:
        """Three taps of x (B, M, H, W), or of x (B, C, H, W) behind `first` in place of layer 0."""
        x = (x - 0.5) / 0.5
        taps = []
        for i, layer in enumerate(self.model):
            x = first(x) if i == 0 and first is not None else layer(x)
            if i in TAPS:
                taps.append(x)
        return taps


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The channels of three maps (B, K, H, W) attend to each other."""
    b, k, h, w = value.shape
    rows = [x.reshape(b, k, h * w) for x in (query, key, value)]
    weights = torch.softmax(torch.einsum("bip,bjp->bij", rows[0], rows[1]) / math.sqrt(h * w), dim=2)
    return value + torch.einsum("bij,bjp->bip", weights, rows[2]).reshape(value.shape)


def depthwise(channels: int) -> nn.Conv2d:
    """A 3×3 kernel per channel, no bias."""
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def pointwise(inside: int, outside: int) -> nn.Conv2d:
    """A 1×1 convolution without bias."""
    return nn.Conv2d(inside, outside, 1, bias=False)


def upsampling(inside: int, bands: int, doublings: int) -> nn.Sequential:
    """`up_16` (two doublings) and `up_4` (one)."""
    layers: list[nn.Module] = []
    for left in range(doublings, 0, -1):
        outside = bands if left == 1 else int(MIDDLE * bands)
        layers += [depthwise(inside), nn.ELU(), pointwise(inside, 4 * outside), nn.PixelShuffle(2), nn.ELU()]
        inside = outside
    return nn.Sequential(*layers, depthwise(bands), pointwise(bands, bands), nn.ELU())


class Concat(nn.Module):
    """Both branches side by side, cropped about the centre to the smaller height and width."""

    def __init__(self, skip: nn.Module, deeper: nn.Module) -> None:
        super().__init__()
        self.add_module("0", skip)
        self.add_module("1", deeper)

    def forward(self, x: Tensor) -> Tensor:
        parts = [branch(x) for branch in self.children()]
        h, w = min(p.shape[2] for p in parts), min(p.shape[3] for p in parts)
        cut = []
        for part in parts:
            top, left = (part.shape[2] - h) // 2, (part.shape[3] - w) // 2
            cut.append(part[:, :, top : top + h, left : left + w])
        return torch.cat(cut, dim=1)


def scale(width: int, scales: int, skip: int) -> list[nn.Module]:
    """One scale of the hourglass, with what lies inside it."""

    def block(inside: int, outside: int, kernel: int, stride: int = 1) -> list[nn.Module]:
        convolution = nn.Conv2d(inside, outside, kernel, stride, padding=kernel // 2)
        return [nn.Sequential(convolution), nn.BatchNorm2d(outside), nn.ELU()]

    deeper = [*block(width, width, 3, 2), *block(width, width, 3)]
    if scales > 1:
        deeper.append(Numbered(*scale(width, scales - 1, skip)))
    deeper.append(nn.Upsample(scale_factor=2, mode="bicubic", align_corners=False))
    joined = Concat(Numbered(*block(width, skip, 1)), Numbered(*deeper))
    return [joined, nn.BatchNorm2d(skip + width), *block(skip + width, width, 3), *block(width, width, 1)]


def skip_block(inside: int, bands: int, kernel: int, scales: int, skip: int) -> nn.Sequential:
    """`skiph`, `skipm`, `skipl`."""
    entry = nn.Conv2d(inside, bands, kernel, padding=kernel // 2, bias=False)
    head = nn.Sequential(nn.Conv2d(bands, bands, 1))
    return nn.Sequential(
        entry, nn.InstanceNorm2d(bands), nn.ELU(), Numbered(*scale(bands, scales, skip), head, nn.Sigmoid())
    )


def fill_size(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear to `size` where the taps' rounded sizes fall short of it (P17); the published code stops there."""
    return x if tuple(x.shape[2:]) == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Uhntc(nn.Module):
    """The network (`MultiLevelFsusionTransformer` there)."""

    def __init__(self, lr_hsi: Tensor, hr_msi: Tensor) -> None:
        super().__init__()
        c, m = lr_hsi.shape[1], hr_msi.shape[1]
        self.size = (hr_msi.shape[2], hr_msi.shape[3])
        self.msi = hr_msi
        self.coarse = F.interpolate(lr_hsi, size=self.size, mode="bicubic", align_corners=False)
        small = F.interpolate(hr_msi, size=lr_hsi.shape[2:], mode="bicubic", align_corners=False)
        self.blurred = F.interpolate(small, size=self.size, mode="bicubic", align_corners=False)
        first, second, third = VGG16[0], VGG16[3], VGG16[-1]
        self.up_16 = upsampling(int(third), c, 2)
        self.up_4 = upsampling(int(second), c, 1)
        self.skiph = skip_block(2 * c, c, 3, 3, 1)
        self.skipm = skip_block(2 * c, c, 3, 3, 1)
        self.skipl = skip_block(int(first) + c, c, 1, 5, 5)
        self.FE = Encoder(m)
        self.HSIconv = nn.Conv2d(c, int(first), 3, padding=1)

    def forward(self, seams: dict[str, Tensor] | None = None) -> Tensor:
        """The fused image (B, C, H, W); `seams`, if given, receives the tensors on the way."""
        seams = {} if seams is None else seams
        with torch.no_grad():
            keys, values = self.FE(self.blurred), self.FE(self.msi)
        queries = self.FE(self.coarse, self.HSIconv)
        low, middle, high = (attention(q, k, v) for q, k, v in zip(queries, keys, values))
        x = self.coarse
        seams.update(coarse=x, FTB_h=high, FTB_m=middle, FTB_l=low)
        seams["up_16"] = fill_size(self.up_16(high), self.size)
        seams["skiph"] = self.skiph(torch.cat([seams["up_16"], x], dim=1))
        x = zero_mean(seams["skiph"]) + x
        seams["up_4"] = fill_size(self.up_4(middle), self.size)
        seams["skipm"] = self.skipm(torch.cat([seams["up_4"], x], dim=1))
        x = zero_mean(seams["skipm"]) + x
        x = self.skipl(torch.cat([low, x], dim=1))
        seams["skipl"] = seams["output"] = x
        return x


class Perceptual(nn.Module):
    """P: VGG19's features of two images (B, 3, H, W) compared.

    The ReLUs work in place, as torchvision's do: what the published code keeps of layers 2 and 7 "before the ReLU" has
    gone through it by the time it is compared (P18).
    """

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.features = nn.Sequential(*vgg_layers(VGG19, 3, norm=False, last=max(PERCEPTUAL)))
        self.target = target

    def taps(self, x: Tensor) -> list[Tensor]:
        x = (x - 0.5) / 0.5
        kept = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in PERCEPTUAL:
                kept.append(x)
        return kept

    def forward(self, x: Tensor) -> Tensor:
        wanted = [tap.detach() for tap in self.taps(self.target)]
        return sum(w * F.mse_loss(a, b) for w, a, b in zip(PERCEPTUAL.values(), self.taps(x), wanted))


def band_difference(fused: Tensor) -> Tensor:
    """T: mean |difference of neighbouring bands|."""
    return (fused[:, 1:] - fused[:, :-1]).abs().mean()


class Fusion:
    """The fusion steps in their three phases: each is (steps, weights of the terms, whether all optimisers move)."""

    def __init__(
        self,
        net: Uhntc,
        psf: PsfNet,
        srf: SrfNet,
        lr_hsi: Tensor,
        hr_msi: Tensor,
        phases: list[tuple[int, Mapping[str, float], bool]],
        *,
        rank: int = 10,
        perceptual: Perceptual | None = None,
    ) -> None:
        self.net, self.psf, self.srf, self.lr_hsi, self.hr_msi, self.phases = net, psf, srf, lr_hsi, hr_msi, phases
        self.perceptual = perceptual
        self.optimiser = torch.optim.AdamW(net.parameters(), lr=8e-3)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimiser, 100, 0.99)
        self.degradations = [torch.optim.AdamW(n.parameters(), lr=1e-4) for n in (psf, srf)]
        self.basis, self.coeffs = subspace(lr_hsi, rank)
        self.done = 0

    def phase(self) -> tuple[int, Mapping[str, float], bool]:
        """The phase of the next step."""
        done = self.done
        for phase in self.phases:
            if done < phase[0]:
                return phase
            done -= phase[0]
        raise IndexError(self.done)

    def loss(self) -> tuple[Tensor, Tensor]:
        """The loss of the present phase and the fused image."""
        fused = self.net()
        hsi, msi = fusion_losses(fused, self.psf, self.srf, self.lr_hsi, self.hr_msi)
        terms = {"hsi": hsi, "msi": msi}
        weights = self.phase()[1]
        if "degradation" in weights:
            both = both_losses(self.psf, self.srf, self.lr_hsi, self.hr_msi, self.basis, self.coeffs)
            terms["subspace"], terms["degradation"] = both
        if "band_difference" in weights:
            terms["band_difference"] = band_difference(fused)
        if "perceptual" in weights and self.perceptual is not None:
            terms["perceptual"] = self.perceptual(self.srf(fused))
        return sum(w * terms[name] for name, w in weights.items() if name in terms), fused.detach()

    def step(self) -> tuple[float, Tensor]:
        """One update; returns its loss and its fused image, both from before the update."""
        total, fused = self.loss()
        moving = [self.optimiser, *(self.degradations if self.phase()[2] else [])]
        for optimiser in (self.optimiser, *self.degradations):
            optimiser.zero_grad()
        total.backward()
        for optimiser in moving:
            optimiser.step()
        self.schedule.step()
        self.done += 1
        return float(total.detach()), fused

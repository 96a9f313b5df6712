"""The twin itself against the numbers of the published code, so that parity with the twin means something."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch twin needs torch (an extra)")
twin = pytest.importorskip("torch_twin")

FIXTURES = Path(__file__).parent / "fixtures"
STEM = FIXTURES / "umsft_reference"
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("odd_136x152_sf8", "sf32_256")]


def filled(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The golden fill of one tensor: from the key alone, through float32."""
    last = key.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    n = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if last == "running_mean":
        value = 0.1 * n
    elif last == "running_var":
        value = 1 + 0.1 * np.abs(n)
    elif last == "bias":
        value = 0.05 * n
    elif last.isdigit():
        value = 0.1 * np.abs(n) + 0.02
    elif n.ndim == 1:
        value = 1 + 0.1 * n
    elif n.ndim == 2:
        value = n / np.sqrt(shape[1])
    elif n.ndim == 3:
        value = 0.3 * np.abs(n) + 0.05
    elif shape[:2] == (1, 1):
        value = np.abs(n) / (shape[2] * shape[3])
    else:
        value = n * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(value).astype(np.float32).astype(np.float64))


def scene(bands: int, height: int, width: int, seed: int) -> np.ndarray:
    """The golden scene (C, H, W), float64 with float32 values."""
    r = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width] / 32
    lam = np.linspace(0, 1, bands)
    cube = np.zeros((bands, height, width))
    for _ in range(6):
        a, b, c, d = r.uniform(-3, 3, 4)
        mu, sigma = r.uniform(0, 1), r.uniform(0.1, 0.5)
        texture = 0.5 + 0.5 * np.sin(a * x + b * y + c + 0.3 * np.sin(d * x * y))
        cube += np.exp(-(((lam - mu) / sigma) ** 2))[:, None, None] * texture
    return (cube / cube.max()).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("name", ["cave_128_sf8", *SLOW])
def test_twin_gives_the_published_numbers(name: str) -> None:
    if not STEM.with_suffix(".json").is_file():
        pytest.skip("golden fixtures are not there")
    golden = json.loads(STEM.with_suffix(".json").read_text())
    values = np.load(STEM.with_suffix(".npz"))
    case = golden["cases"][name]
    s, spans = case["scale_factor"], [tuple(span) for span in case["spans"]]
    cube = scene(case["bands"], case["height"], case["width"], case["scene_seed"])
    hsi = torch.from_numpy(cube)[None]
    lr_hsi = torch.nn.functional.avg_pool2d(hsi, s)
    msi = torch.stack([(hsi[0, a:b] * float(np.float32(1 / (b - a)))).sum(0) for a, b in spans])[None]

    srf, psf = twin.SrfNet(spans), twin.PsfNet(s)
    for j in range(len(spans)):
        np.testing.assert_allclose(
            srf.srf_list[j].detach().numpy(), values[f"{name}/initial_srf_{j}"].ravel(), atol=1e-7
        )
    np.testing.assert_allclose(
        psf.net.down.weight.detach().numpy().ravel(), values[f"{name}/initial_psf"].ravel(), atol=1e-7
    )
    net = twin.Umsft(lr_hsi, msi, srf).double()
    shapes = {k: tuple(v) for k, v in golden["state_dict_shapes"]["31x3"].items()}
    net.load_state_dict({k: filled(k, v) for k, v in shapes.items()}, strict=True)
    psf.double().net.down.weight.data = filled("psf", (1, 1, s + 1, s + 1))

    seams: dict[str, torch.Tensor] = {}
    fused = net(seams)
    seams["recon_hsi"], seams["recon_msi"] = psf(fused), srf(fused)
    loss = sum(twin.fusion_losses(fused, psf, srf, lr_hsi, msi))
    loss.backward()
    assert loss.item() == pytest.approx(case["loss"], rel=1e-9)
    for seam, tensor in seams.items():
        flat = tensor.detach().numpy().ravel()
        step = -(-flat.size // (6000 if seam == "output" else 1500))
        difference = np.abs(flat[::step] - values[f"{name}/{seam}"]).max()
        assert difference <= 1e-8 * case["stats"][seam]["absmax"], seam
    without = {k for k, p in net.named_parameters() if p.grad is None}
    assert without == set(case["params_without_grad"])
    for key, parameter in net.named_parameters():
        if parameter.grad is not None and case["grad_l2"][key] > 1e-10:
            assert parameter.grad.norm().item() == pytest.approx(case["grad_l2"][key], rel=1e-6), key
    assert psf.net.down.weight.grad.norm().item() == pytest.approx(case["psf_grad_l2"], rel=1e-6)


def test_cutting_the_dead_layers_changes_nothing() -> None:
    torch.manual_seed(0)
    lr_hsi, msi = torch.rand(1, 7, 16, 16), torch.rand(1, 2, 128, 128)
    srf = twin.SrfNet([(0, 4), (3, 7)])
    whole = twin.Umsft(lr_hsi, msi, srf)
    cut = twin.Umsft(lr_hsi, msi, srf, dead_layers=False)
    state = whole.state_dict()
    cut.load_state_dict({k: state[k] for k in cut.state_dict()})
    assert torch.equal(whole(), cut())

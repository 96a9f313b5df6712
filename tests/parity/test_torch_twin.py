"""The twin itself against the numbers of the published code, so that parity with the twin means something."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch twin needs torch (an extra)")

import torch_twin as twin  # noqa: E402

from paddle_umsft.parity.fill import every_kth, fill, make_scene, observe  # noqa: E402
from paddle_umsft.parity.reference import GoldenCase, read_golden  # noqa: E402

CASES = {case.name: case for case in read_golden().cases}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in list(CASES)[1:]]


def build(case: GoldenCase) -> tuple[object, object]:
    lr_hsi, hr_msi = observe(make_scene(case.bands, case.height, case.width, case.seed), case.scale, case.supports)
    srf, psf = twin.SrfNet(case.supports), twin.PsfNet(case.scale)
    for j, start in enumerate(srf.srf_list):
        np.testing.assert_allclose(start.detach().numpy(), case.arrays[f"initial_srf_{j}"].ravel(), atol=1e-7)
    start = psf.net.down.weight.detach().numpy().reshape(case.arrays["initial_psf"].shape)
    np.testing.assert_allclose(start, case.arrays["initial_psf"], atol=1e-7)
    return twin.Umsft(torch.from_numpy(lr_hsi), torch.from_numpy(hr_msi), srf).double(), psf.double()


@pytest.mark.parametrize("name", [next(iter(CASES)), *SLOW])
def test_twin_gives_the_published_numbers(name: str) -> None:
    case = CASES[name]
    net, psf = build(case)
    state = {key: torch.from_numpy(fill(key, shape)) for key, shape in case.shapes.items()}
    net.load_state_dict(state, strict=True)
    psf.net.down.weight.data = torch.from_numpy(fill("psf", psf.net.down.weight.shape))
    lr_hsi, hr_msi = observe(make_scene(case.bands, case.height, case.width, case.seed), case.scale, case.supports)
    lr_hsi, hr_msi = torch.from_numpy(lr_hsi), torch.from_numpy(hr_msi)

    seams: dict[str, torch.Tensor] = {}
    fused = net(seams)
    seams["recon_hsi"], seams["recon_msi"] = psf(fused), net.rm.srf(fused)
    loss = sum(twin.fusion_losses(fused, psf, net.rm.srf, lr_hsi, hr_msi))
    loss.backward()
    assert loss.item() == pytest.approx(case.figures["loss"], rel=1e-9)
    for seam, tensor in seams.items():
        found = every_kth(tensor.detach().numpy(), 6000 if seam == "output" else 1500)
        difference = np.abs(found - case.arrays[seam]).max()
        assert difference <= 1e-8 * case.figures["stats"][seam]["absmax"], seam
    without = {key for key, p in net.named_parameters() if p.grad is None}
    assert without == set(case.figures["params_without_grad"])
    for key, parameter in net.named_parameters():
        norm = case.figures["grad_l2"].get(key, 0.0)
        if norm > 1e-10:
            assert parameter.grad.norm().item() == pytest.approx(norm, rel=1e-6), key
    assert psf.net.down.weight.grad.norm().item() == pytest.approx(case.figures["psf_grad_l2"], rel=1e-6)


def test_cutting_the_dead_layers_changes_nothing() -> None:
    torch.manual_seed(0)
    lr_hsi, msi = torch.rand(1, 7, 16, 16), torch.rand(1, 2, 128, 128)
    srf = twin.SrfNet([(0, 4), (3, 7)])
    whole = twin.Umsft(lr_hsi, msi, srf)
    cut = twin.Umsft(lr_hsi, msi, srf, dead_layers=False)
    state = whole.state_dict()
    cut.load_state_dict({k: state[k] for k in cut.state_dict()})
    assert torch.equal(whole(), cut())

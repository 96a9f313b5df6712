"""uHNTC beside its PyTorch twin (float64), and the twin beside the published code's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest

torch = pytest.importorskip("torch", reason="the other side of these comparisons is PyTorch (an extra)")

import torch_twin  # noqa: E402
import torch_twin_uhntc as twin  # noqa: E402
from pairs import difference  # noqa: E402
from uhntc_pairs import UhntcPair, make_uhntc_pair  # noqa: E402

from paddle_umsft.config.uhntc import UhntcSettings  # noqa: E402
from paddle_umsft.methods.networks.losses import band_difference, observation_terms, total  # noqa: E402
from paddle_umsft.methods.uhntc import solver as uhntc_solver  # noqa: E402
from paddle_umsft.methods.uhntc.network import UHNTC  # noqa: E402
from paddle_umsft.methods.uhntc.perceptual import PerceptualDistance, Vgg19Features  # noqa: E402
from paddle_umsft.parity.fill import every_kth, fill, make_scene, observe  # noqa: E402
from paddle_umsft.parity.reference import BUILT_IN_UHNTC, read_golden  # noqa: E402
from paddle_umsft.parity.tolerances import TOLERANCES, ZERO_NORM, adamw  # noqa: E402
from paddle_umsft.weights.mapping import ours_to_published, published_to_ours  # noqa: E402
from paddle_umsft.weights.names import published_key  # noqa: E402

NIKON = [(20, 31), (10, 23), (0, 12)]
CHIKUSEI = [(0, 30), (13, 50), (41, 84), (68, 128)]
SEAM, GRADIENT = TOLERANCES["seam"].limit, TOLERANCES["gradient"].limit


def test_twin_gives_the_published_numbers() -> None:
    (case,) = read_golden(BUILT_IN_UHNTC).cases
    scene = make_scene(case.bands, case.height, case.width, case.seed)
    lr_hsi, hr_msi = (torch.from_numpy(image) for image in observe(scene, case.scale, case.supports))
    net = twin.Uhntc(lr_hsi, hr_msi).double()
    published = {name for name in net.state_dict() if not name.startswith("HSIconv.")}
    assert published == {name for name in case.shapes if not name.startswith("FTB_")}
    net.load_state_dict({name: torch.from_numpy(fill(name, t.shape)) for name, t in net.state_dict().items()})
    seams: dict[str, torch.Tensor] = {}
    loss = (net(seams) - torch.from_numpy(scene)[None]).abs().mean()
    loss.backward()
    assert loss.item() == pytest.approx(case.figures["loss_l1_to_scene"], rel=1e-9)
    for seam, wanted in case.arrays.items():
        found = every_kth(seams[seam].detach().numpy(), 6000 if seam == "output" else 1500)
        assert np.abs(found - wanted).max() <= 1e-8 * case.figures["stats"][seam]["absmax"], seam
    for name, parameter in net.named_parameters():
        norm = case.figures["grad_l2"].get(name, 0.0)
        if norm > ZERO_NORM:
            assert parameter.grad.norm().item() == pytest.approx(norm, rel=1e-6), name


def forward_both(pair: UhntcPair) -> tuple[dict[str, Any], dict[str, Any], Any, Any]:
    """Seams and losses of ours and of the twin's."""
    model, images = pair.model, pair.images
    ours: dict[str, Any] = {}
    fused = model.network(UHNTC.prepare(images.lr_hsi, images.hr_msi), ours)
    terms = observation_terms(model.spatial(fused), images.lr_hsi, model.spectral(fused), images.hr_msi)
    terms["band_difference"] = band_difference(fused)
    theirs: dict[str, Any] = {}
    output = pair.net(theirs)
    wanted = [*torch_twin.fusion_losses(output, pair.psf, pair.srf, pair.lr_hsi, pair.hr_msi)]
    wanted.append(twin.band_difference(output))
    return ours, theirs, total(terms), sum(wanted)


def assert_same(pair: UhntcPair) -> None:
    ours, theirs, loss, their_loss = forward_both(pair)
    assert set(ours) == set(theirs)
    for seam, tensor in theirs.items():
        assert difference(ours[seam].numpy(), tensor.detach().numpy()) <= SEAM, seam
    assert float(loss) == pytest.approx(their_loss.item(), rel=1e-8)
    loss.backward()
    their_loss.backward()
    wanted = pair.gradients()
    compared = 0
    for name, parameter in pair.model.named_parameters():
        if parameter.stop_gradient:
            continue
        key = published_key(name).removeprefix("rm.srf.")
        if wanted[key] is None:
            assert parameter.grad is None, key
            assert key.startswith("FE.model.0."), key
            continue
        mine, yours = parameter.grad.numpy().reshape(wanted[key].shape), wanted[key].numpy()
        norm = float(np.linalg.norm(yours))
        if norm <= ZERO_NORM:
            assert np.linalg.norm(mine) <= TOLERANCES["zero_gradient"].limit, key
        else:
            assert np.linalg.norm(mine - yours) <= GRADIENT * norm, key
        compared += 1
    assert compared == len(wanted) - 2


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(
    ("bands", "scale", "size", "supports"),
    [
        (31, 8, (16, 17), NIKON),
        (4, 5, (9, 11), [(0, 4)]),  # 45x55: no multiple of 4, so that enlarged taps fall short of the image (P17)
        (7, 4, (17, 13), [(0, 3), (2, 7)]),
        (12, 32, (4, 5), [(k, k + 1) for k in range(12)]),
        pytest.param(128, 16, (8, 9), CHIKUSEI, marks=pytest.mark.slow),
    ],
)
def test_seams_and_gradients(bands: int, scale: int, size: tuple[int, int], supports: Any) -> None:
    assert_same(make_uhntc_pair(bands, scale, size, supports, seed=bands))


@pytest.mark.slow
@pytest.mark.usefixtures("double")
def test_full_width_with_four_msi_bands() -> None:
    assert_same(make_uhntc_pair(20, 4, (32, 34), [(0, 6), (4, 9), (8, 15), (13, 20)], narrow=False))


@pytest.mark.usefixtures("double")
def test_weights_come_back_to_the_last_bit() -> None:
    pair = make_uhntc_pair(9, 4, (16, 12), [(0, 5), (4, 9)], seed=3)
    before = {name: tensor.numpy() for name, tensor in pair.net.state_dict().items()}
    ours, aside = published_to_ours(before)
    assert set(aside) == {name for name in before if name.endswith(".num_batches_tracked")}
    after = ours_to_published(ours, aside)
    assert set(after) == set(before)
    for name, array in before.items():
        assert after[name].tobytes() == array.tobytes(), name


def vgg19(seed: int) -> tuple[dict[str, np.ndarray], Any]:
    """Random VGG19 weights, and the twin's term with them but without its target."""
    torch.manual_seed(seed)
    perceptual = twin.Perceptual(torch.zeros(1, 3, 8, 8)).double()
    weights = {f"features.{name.partition('.')[2]}": t.numpy() for name, t in perceptual.state_dict().items()}
    return weights, perceptual


@pytest.mark.usefixtures("double")
def test_perceptual_term() -> None:
    """Value and gradient, with ReLUs that work in place on the other side (P18)."""
    weights, theirs = vgg19(2)
    random = np.random.RandomState(4)
    x, target = random.uniform(size=(2, 1, 3, 21, 26))
    theirs.target = torch.from_numpy(target)
    ours = PerceptualDistance(Vgg19Features(weights), paddle.to_tensor(target))
    mine = paddle.to_tensor(x, stop_gradient=False)
    yours = torch.from_numpy(x).requires_grad_()
    loss, their_loss = ours(mine), theirs(yours)
    loss.backward()
    their_loss.backward()
    assert float(loss) == pytest.approx(their_loss.item(), rel=1e-10)
    assert difference(mine.grad.numpy(), yours.grad.numpy()) <= 1e-10
    assert not [p for p in ours.features.parameters() if p.grad is not None]


@pytest.mark.usefixtures("double")
def test_fusion_phases_with_adamw(monkeypatch: pytest.MonkeyPatch) -> None:
    """All three phases with their own optimisers and weights, the perceptual term among them."""
    pair = make_uhntc_pair(10, 8, (16, 17), [(0, 5), (3, 8), (6, 10)], seed=5, rank=12)
    weights, theirs = vgg19(2)
    theirs.target = pair.hr_msi
    term = PerceptualDistance(Vgg19Features(weights), pair.images.hr_msi)
    monkeypatch.setattr(uhntc_solver, "perceptual_term", lambda settings, hr_msi: term)
    settings = UhntcSettings(rank=4)
    for phase, count in zip(settings.phases, (1, 2, 2)):
        phase.iterations = count
    fusion = uhntc_solver.build_fusion(pair.images, pair.model, settings)
    plan = [(phase.iterations, phase.weights, len(phase.moves) == 3) for phase in fusion.phases]
    twins = twin.Fusion(pair.net, pair.psf, pair.srf, pair.lr_hsi, pair.hr_msi, plan, rank=4, perceptual=theirs)
    assert [fusion.stage_at(step) for step in range(5)] == ["fuse", "joint", "joint", "refine", "refine"]
    for step in range(1, 6):
        record, (their_loss, fused) = fusion.step(step - 1), twins.step()
        assert record["loss"] == pytest.approx(their_loss, rel=adamw(step).limit), step
        assert ("perceptual" in record, "band_difference" in record) == (True, step not in (2, 3))
        if step <= 2:
            assert difference(fusion.fused.numpy(), fused.numpy()) <= 1e-7


@pytest.mark.usefixtures("double")
def test_twenty_steps_of_sgd() -> None:
    """Unlike AdamW, SGD does not turn rounding noise into steps: a longer way that can be compared."""
    pair = make_uhntc_pair(10, 8, (8, 9), [(0, 5), (3, 8), (6, 10)], seed=6)
    model = pair.model
    ours = paddle.optimizer.SGD(1e-3, parameters=model.parameters())
    nets = (pair.net, pair.psf, pair.srf)
    theirs = torch.optim.SGD([p for net in nets for p in net.parameters()], lr=1e-3)
    losses = []
    for _ in range(20):
        _, _, loss, their_loss = forward_both(pair)
        loss.backward()
        ours.step()
        model.clear_gradients()
        theirs.zero_grad()
        their_loss.backward()
        theirs.step()
        losses.append(float(loss))
        assert losses[-1] == pytest.approx(their_loss.item(), rel=1e-9)
    assert losses[-1] < losses[0]
    assert max(pair.differences().values()) <= 1e-6

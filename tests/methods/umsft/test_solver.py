"""The optimisation on made-up scenes: it goes down, keeps what is known, and takes any number of bands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_cases import make_case

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.config.load import load_config
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import DataError
from paddle_umsft.methods.table import start_trained

SMALL = ["network.width=6", "network.skip=2", "warm_up.iterations=4", "solver.iterations=3"]


@pytest.mark.parametrize(
    ("height", "width", "bands", "observe"),
    [
        (128, 144, 31, {"scale": 4}),
        (160, 128, 31, {"scale": 32}),
        (128, 136, 3, {"msi_bands": 1}),
        (136, 128, 1, {"msi_bands": 1}),
        (128, 128, 40, {"msi_bands": 8}),
    ],
)
def test_any_scale_and_any_number_of_bands(height: int, width: int, bands: int, observe: dict[str, Any]) -> None:
    case = make_case(height, width, bands, **observe)
    solver = start_trained(case.observation, load_config(overrides=SMALL))
    records = list(solver.run())
    result = solver.result(records)
    assert result.fused.shape == (height, width, bands)
    assert np.isfinite(result.fused).all()
    scale = case.observation.scale
    assert result.psf is not None
    assert result.psf.shape == (scale + 1, scale + 1)
    fusion = [record["hsi"] + record["msi"] for record in records if record["stage"] in ("fuse", "joint")]
    assert fusion[-1] < fusion[0]


def test_known_degradations_are_kept_and_skip_the_warm_up() -> None:
    case = make_case(128, 136, 10, known_psf=True, known_srf=True)
    solver = start_trained(case.observation, load_config(overrides=SMALL))
    records = list(solver.run())
    assert {record["stage"] for record in records} == {"fuse", "joint"}
    result = solver.result(records)
    assert case.true_psf is not None
    np.testing.assert_allclose(result.psf, case.true_psf, atol=1e-7)
    np.testing.assert_allclose(result.srf, case.true_srf, atol=1e-7)


def test_warm_up_finds_psf_and_srf_of_a_made_up_scene() -> None:
    scene = dead_leaves_scene(128, 160)
    case = simulate(scene, ObserveConfig(scale=8))
    solver = start_trained(case.observation, load_config(overrides=["network.width=6", "network.skip=2"]))
    for record in solver.run():
        if record["stage"] == "fuse":
            break
    model = solver.model
    seen_msi = model.spatial(solver.images.hr_msi).numpy()
    assert case.true_srf is not None
    assert case.reference is not None
    true_lr_msi = case.observation.lr_hsi @ case.true_srf.T
    error = np.abs(seen_msi[0].transpose(1, 2, 0) - true_lr_msi).mean() / true_lr_msi.mean()
    assert error < 0.03
    found, true = model.spectral.effective_srf(), case.true_srf
    cosine = (found * true).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(true, axis=1)
    # Neighbouring bands are nearly alike, so the shape is found only roughly; what it predicts is closer.
    assert cosine.min() > 0.6
    predicted = case.reference @ found.T
    assert np.abs(predicted - case.observation.hr_msi).mean() / case.observation.hr_msi.mean() < 0.08


@pytest.mark.parametrize("attention", ["published", "paper"])
def test_both_forms_of_attention_learn(attention: str) -> None:
    case = make_case(128, 128, 8)
    solver = start_trained(case.observation, load_config(overrides=[*SMALL, f"network.attention={attention}"]))
    losses = [record["hsi"] + record["msi"] for record in solver.run() if record["stage"] in ("fuse", "joint")]
    assert losses[-1] < losses[0]


def test_the_srf_stays_with_its_own_optimiser_if_asked_to() -> None:
    case = make_case(128, 128, 8)
    moved = {}
    for with_network in (True, False):
        overrides = [*SMALL, "solver.joint_after=1", f"solver.srf_with_network={str(with_network).lower()}"]
        solver = start_trained(case.observation, load_config(overrides=overrides))
        tables = [solver.model.spectral.effective_srf() for record in solver.run() if record["stage"] != "srf"]
        moved[with_network] = float(np.abs(tables[-1] - tables[-3]).max())
    assert moved[True] > 1e-4
    assert moved[False] == 0


def test_same_seed_same_result_and_another_seed_another() -> None:
    case = make_case(128, 128, 6)
    results = []
    for seed in (1, 1, 2):
        solver = start_trained(case.observation, load_config(overrides=[*SMALL, f"seed={seed}"]))
        results.append(solver.result(list(solver.run())).fused)
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_averaged_output_is_the_moving_average_of_the_outputs() -> None:
    case = make_case(128, 128, 6)
    plain = start_trained(case.observation, load_config(overrides=SMALL))
    outputs = []
    for record in plain.run():
        if record["stage"] in ("fuse", "joint"):
            outputs.append(plain.fusion.result())
    averaged = start_trained(case.observation, load_config(overrides=[*SMALL, "solver.average=0.5"]))
    fused = averaged.result(list(averaged.run())).fused
    np.testing.assert_allclose(fused, 0.25 * outputs[0] + 0.25 * outputs[1] + 0.5 * outputs[2], atol=1e-5)


def test_an_msi_band_without_light_leaves_the_psf_to_the_others() -> None:
    case = make_case(128, 128, 6, msi_bands=3)
    hr_msi = case.observation.hr_msi.copy()
    hr_msi[:, :, 1] = 0
    overrides = [*SMALL, "warm_up.iterations=32", "solver.iterations=1"]
    solver = start_trained(replace(case.observation, hr_msi=hr_msi), load_config(overrides=overrides))
    records = list(solver.run())
    result = solver.result(records)
    assert result.psf is not None
    assert np.isfinite(result.psf).all()
    # The response of that band dies out in step 1; from then on it agrees exactly, which once was log10(0).
    assert min(record["loss"] for record in records if record["stage"] == "psf") < -100
    assert np.isfinite(result.fused).all()


def test_a_loss_that_is_not_finite_stops_the_run_where_it_happens() -> None:
    case = make_case(128, 128, 6)
    solver = start_trained(case.observation, load_config(overrides=[*SMALL, "solver.rate.lr=1e30"]))
    records = []
    with pytest.raises(DataError, match=r"leaves, step 2 of joint: the loss is no longer a finite number") as caught:
        records.extend(solver.run())
    assert "\n" not in str(caught.value)


def test_image_below_128_is_refused() -> None:
    case = make_case(128, 120, 6)
    with pytest.raises(DataError, match="128"):
        start_trained(case.observation, load_config(overrides=SMALL))

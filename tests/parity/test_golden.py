"""The package against the published code's own numbers, and the parity command around it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import paddle
import pytest

from paddle_umsft.config.umsft import NetworkConfig
from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks.model import ModelSizes
from paddle_umsft.methods.umsft.model import build_model
from paddle_umsft.parity import __main__ as command
from paddle_umsft.parity import golden
from paddle_umsft.parity.fill import every_kth, fill, make_scene, observe
from paddle_umsft.parity.golden import check_case
from paddle_umsft.parity.reference import BUILT_IN, BUILT_IN_UHNTC, SEAMS, GoldenCase, read_golden
from paddle_umsft.parity.rows import Outcome, Row
from paddle_umsft.parity.table import case_table, verdict

CASES = read_golden().cases
UHNTC = read_golden(BUILT_IN_UHNTC).cases
SLOW = [pytest.param(case, id=case.name, marks=pytest.mark.slow) for case in CASES[1:]]


@pytest.mark.parametrize("case", [pytest.param(CASES[0], id=CASES[0].name), *SLOW])
def test_published_numbers(case: GoldenCase) -> None:
    """Full width: start values, every seam, all gradients, five AdamW steps, the float32 output."""
    before = paddle.get_default_dtype()
    outcome = check_case(case)
    assert not [f"{row.name}: {row.difference:.1e} > {row.limit:.0e} {row.note}" for row in outcome.rows if not row.ok]
    assert not outcome.absent
    names = [row.name for row in outcome.rows]
    assert set(SEAMS["umsft"]) < set(names)
    assert [f"step {n}" in names for n in range(1, 6)] == [True] * 5
    assert paddle.get_default_dtype() == before


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in UHNTC])
def test_published_numbers_of_uhntc(case: GoldenCase) -> None:
    """Names, every seam, the loss, all gradients, the float32 output; the file says nothing of optimisers."""
    outcome = check_case(case)
    assert not [f"{row.name}: {row.difference:.1e} > {row.limit:.0e} {row.note}" for row in outcome.rows if not row.ok]
    assert set(outcome.absent) == {"grad_samples", "adamw_losses"}
    names = [row.name for row in outcome.rows]
    assert {*SEAMS["uhntc"], "loss", "norm", "state_dict", "which parameters have one", "output, max"} <= set(names)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that cannot match, in little time."""
    settings = NetworkConfig(width=8, skip=2)
    monkeypatch.setattr(golden, "build_model", lambda sizes: build_model(sizes, settings))


def small_case(figures: dict[str, Any], arrays: dict[str, np.ndarray]) -> GoldenCase:
    return GoldenCase("small", 6, 129, 132, 3, ((0, 6), (2, 5)), 7, figures, arrays)


@pytest.mark.usefixtures("narrow")
def test_what_is_wrong_is_told_and_what_is_absent_is_listed() -> None:
    case = small_case(
        {"loss": 1.0, "grad_l2": {"super.9.0.weight": 1.0, "super9.no.such": 1.0}, "adamw_losses": [1.0, 1.0]},
        {"output": np.zeros(10), "hsi_feature0": np.full(1500, np.nan), "initial_psf": np.zeros((4, 4))},
    )
    outcome = check_case(case, steps=2)
    rows = {row.name: row for row in outcome.rows}
    assert not outcome.ok
    assert not any(rows[name].ok for name in ("output", "hsi_feature0", "initial_psf", "loss", "norm", "step 2"))
    assert "values instead of 10" in rows["output"].note
    assert rows["missing"].note == "super9.no.such"
    assert {"initial_srf_0", "recon_msi", "grad_samples", "params_without_grad", "state_dict_shapes"} <= {
        *outcome.absent
    }
    assert "BROKEN" in case_table(outcome)
    assert "comparisons broken: small: start initial_psf" in verdict([outcome])


def test_nothing_to_compare_is_not_a_success() -> None:
    outcome = Outcome(small_case({}, {}))
    assert not outcome.ok
    assert verdict([outcome]) == "nothing to compare in small"


def test_published_names_of_both_band_counts() -> None:
    shapes = json.loads(BUILT_IN.with_suffix(".json").read_text())["state_dict_shapes"]["128x4"]
    listed = {key: tuple(shape) for key, shape in shapes.items()}
    supports = ((0, 30), (13, 50), (41, 84), (68, 128))
    case = GoldenCase("names", 128, 128, 128, 8, supports, 1, {}, {}, listed)
    model = build_model(ModelSizes(bands=128, msi_bands=4, scale=8, supports=supports))
    outcome = Outcome(case)
    golden._compare_names(outcome, model)
    assert outcome.ok, outcome.rows[0].note
    less = dict(list(listed.items())[1:]) | {"super.9.0.weight": (1, 1, 1, 1), "no.such.weight": (3,)}
    outcome = Outcome(dataclasses.replace(case, shapes=less))
    golden._compare_names(outcome, model)
    assert outcome.rows[0].difference == 3


def test_fill_rules() -> None:
    """Each kind of tensor has the mean and spread that reference.md's table says."""
    assert fill("a.num_batches_tracked", ()) == 0
    shapes = {"a.running_mean": (4000,), "a.bias": (4000,), "a.weight": (4000,), "b.weight": (100, 50)}
    spreads = {"a.running_mean": 0.1, "a.bias": 0.05, "a.weight": 0.1, "b.weight": 50**-0.5}
    for key, shape in shapes.items():
        values = fill(key, shape)
        assert values.std() == pytest.approx(spreads[key], rel=0.1)
        assert values.mean() == pytest.approx(1.0 if key == "a.weight" else 0.0, abs=0.02)
        np.testing.assert_array_equal(values, values.astype(np.float32))
    assert fill("c.weight", (64, 32, 3, 3)).std() == pytest.approx((2 / 288) ** 0.5, rel=0.05)
    assert fill("rm.srf.srf_list.0", (4000,)).min() >= 0.02
    assert fill("conv.weight", (1, 1, 3)).min() >= 0.05
    assert fill("a.running_var", (4000,)).min() >= 1.0
    assert fill("psf", (1, 1, 9, 9)).sum() == pytest.approx(0.8, abs=0.2)  # the mean of |n| is 0.8


def test_scene_and_its_two_images() -> None:
    scene = make_scene(5, 12, 18, 3)
    assert scene.shape == (5, 12, 18)
    assert scene.max() == 1.0
    assert scene.min() >= 0.0
    lr_hsi, hr_msi = observe(scene, 6, ((0, 2), (1, 5)))
    assert (lr_hsi.shape, hr_msi.shape) == ((1, 5, 2, 3), (1, 2, 12, 18))
    assert lr_hsi[0, 4, 1, 2] == pytest.approx(scene[4, 6:, 12:].mean(), rel=1e-12)
    assert hr_msi[0, 1, 3, 4] == pytest.approx(scene[1:, 3, 4].mean(), rel=1e-6)


@pytest.mark.parametrize(("size", "most", "taken"), [(7, 4, 4), (8, 4, 4), (9, 4, 3), (3, 4, 3), (1501, 1500, 751)])
def test_sampling(size: int, most: int, taken: int) -> None:
    values = every_kth(np.arange(size).reshape(1, size), most)
    assert len(values) == taken
    assert values[1] - values[0] == -(-size // most)


def damage(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def run(stem: Path) -> None:
        content = json.loads(stem.with_suffix(".json").read_text())
        case = content["cases"]["cave_128_sf8"]
        content = {"content": content, "case": case}
        change(content)
        stem.with_suffix(".json").write_text(json.dumps(content["content"]))

    return run


def npz_of_objects(stem: Path) -> None:
    np.savez(stem.with_suffix(".npz"), a=np.array([{}], dtype=object))


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no json": (lambda stem: stem.with_suffix(".json").unlink(), "no such file"),
    "no npz": (lambda stem: stem.with_suffix(".npz").unlink(), "no such file"),
    "not json": (lambda stem: stem.with_suffix(".json").write_text("{"), "cannot be read as JSON"),
    "a list": (lambda stem: stem.with_suffix(".json").write_text("[1]"), "not a golden file"),
    "not utf-8": (lambda stem: stem.with_suffix(".json").write_bytes(b"\xff\xfe"), "cannot be read as JSON"),
    "npz cut": (lambda s: s.with_suffix(".npz").write_bytes(s.with_suffix(".npz").read_bytes()[:9999]), "as .npz"),
    "npz empty": (lambda stem: stem.with_suffix(".npz").write_bytes(b""), "as .npz"),
    "npz is npy": (lambda s: s.with_suffix(".npz").write_bytes(b"\x93NUMPY junk"), "as .npz"),
    "npz of objects": (npz_of_objects, "as .npz"),
    "no cases": (damage(lambda all: all["content"].pop("cases")), "holds no cases"),
    "no bands": (damage(lambda all: all["case"].pop("bands")), "not a case of UMSFT or uHNTC, expected bands"),
    "half a band": (damage(lambda all: all["case"].update(bands=3.5)), "bands is not a whole number"),
    "NaN": (damage(lambda all: all["case"].update(height=float("nan"))), "height is not a whole number"),
    "scale": (damage(lambda all: all["case"].update(scale_factor=7)), "sizes do not go together"),
    "spans": (damage(lambda all: all["case"].update(spans=[[3, 3]])), "spans are not supports"),
    "beyond": (damage(lambda all: all["case"].update(spans=[[3, 32]])), "spans are not supports"),
    "text": (damage(lambda all: all["case"].update(spans="RGB")), "spans are not supports"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_unusable_files_are_refused_in_a_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ending in (".json", ".npz"):
        shutil.copy(BUILT_IN.with_suffix(ending), tmp_path / f"copy{ending}")
    how, message = DAMAGES[name]
    how(tmp_path / "copy")
    assert command.main(["--golden", str(tmp_path / "copy")]) == 3
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_another_network_is_refused(tmp_path: Path) -> None:
    shutil.copy(BUILT_IN.with_suffix(".json"), tmp_path / "other.json")
    np.savez(tmp_path / "other.npz", **{"cave_128_sf8/FTB_h": np.zeros(3), "cave_128_sf8/output": np.zeros(3)})
    with pytest.raises(DataError, match="numbers of another network"):
        read_golden(tmp_path / "other.npz")


@pytest.mark.parametrize(("difference", "code"), [(1e-12, 0), (2e-8, 1), (float("nan"), 1)])
def test_exit_code(
    difference: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(case: GoldenCase, *, steps: int) -> Outcome:
        return Outcome(case, [Row("forward", "output", difference, 1e-8)])

    monkeypatch.setattr(golden, "check_case", check)
    monkeypatch.setattr(command, "import_paddle", lambda: None)
    assert command.main(["--golden", str(BUILT_IN), "--case", "cave_128_sf8"]) == code
    assert ("BROKEN" in capsys.readouterr().out) == bool(code)


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert "odd_136x152_sf8: 31 bands, 136x152, scale 8, 3 MSI bands, UMSFT" in capsys.readouterr().out
    assert command.main(["--case", "nope"]) == 2
    known = "cave_128_sf8, odd_136x152_sf8, sf32_256, uhntc_31_128_sf8"
    assert f"no such case, expected {known}, got nope" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        command.main(["--golden"])
    assert stop.value.code == 2


def test_too_small_a_case_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = {"bands": 5, "height": 64, "width": 64, "scale_factor": 8, "spans": [[0, 5]], "scene_seed": 1}
    (tmp_path / "small.json").write_text(json.dumps({"cases": {"small": case}}))
    np.savez(tmp_path / "small.npz", **{"small/hsi_feature0": np.zeros(3)})
    assert command.main(["--golden", str(tmp_path / "small")]) == 3
    assert "image too small" in capsys.readouterr().err

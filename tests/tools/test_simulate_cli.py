"""tools/simulate.py: pairs that other programs, and this one, can read."""

from __future__ import annotations

import json
import runpy
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from paddle_umsft.config.load import load_config
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.errors import DataError
from paddle_umsft.machine.files import write_json
from paddle_umsft.runs.pairs import read_back
from paddle_umsft.runs.run import open_run
from paddle_umsft.runs.scene import make_case

MAIN = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools" / "simulate.py"))["main"]


@pytest.fixture
def config_file(tmp_path: Path) -> str:
    path = tmp_path / "demo.yml"
    path.write_text("data: {path: 'demo://dead_leaves', demo: {height: 34, width: 40}}\nobserve: {scale: 4}\n")
    return str(path)


def load(path: Path) -> dict[str, Any]:
    if path.suffix == ".mat":
        return {k: v for k, v in scipy.io.loadmat(str(path)).items() if not k.startswith("__")}
    with np.load(path) as archive:
        return dict(archive)


@pytest.mark.parametrize("ending", ["npz", "mat"])
def test_pair_follows_from_truth_by_the_rules_it_states(ending: str, config_file: str, tmp_path: Path) -> None:
    assert MAIN(["-c", config_file, "-o", "observe.psf.type=box", "--output", str(tmp_path), "--format", ending]) == 0
    folder = tmp_path / "dead_leaves"
    pair, truth = load(folder / f"pair.{ending}"), load(folder / f"truth.{ending}")["hr_hsi"]
    facts = json.loads((folder / "pair.json").read_text(encoding="utf-8"))
    assert truth.shape == (32, 40, 31)  # 34 rows are no multiple of 4
    assert facts["crop"] == [0, 0, 32, 40]
    np.testing.assert_allclose(pair["lr_hsi"], truth.reshape(8, 4, 10, 4, 31).mean(axis=(1, 3)), atol=1e-6)
    np.testing.assert_allclose(pair["hr_msi"], truth @ pair["srf"].T, atol=1e-5)
    np.testing.assert_allclose(facts["psf"], pair["psf"])
    np.testing.assert_allclose(facts["wavelengths_nm"], np.linspace(400, 700, 31))
    np.testing.assert_allclose(np.ravel(pair["wavelengths_nm"]), np.linspace(400, 700, 31))
    assert int(np.squeeze(pair["scale"])) == facts["scale"] == 4
    assert facts["normalise"] == "max"
    assert facts["files"] == {"pair": f"pair.{ending}", "truth": f"truth.{ending}"}
    assert "numpy" in facts["versions"]


def test_noise_is_told_and_repeats(config_file: str, tmp_path: Path) -> None:
    arguments = ["-c", config_file, "-o", "observe.snr_hsi_db=20", "seed=5"]
    for name in ("a", "b"):
        assert MAIN([*arguments, "--output", str(tmp_path / name)]) == 0
    assert MAIN(["-c", config_file, "--output", str(tmp_path / "clean")]) == 0
    noisy, again, clean = (load(tmp_path / n / "dead_leaves" / "pair.npz") for n in ("a", "b", "clean"))
    np.testing.assert_array_equal(noisy["lr_hsi"], again["lr_hsi"])
    np.testing.assert_array_equal(noisy["hr_msi"], clean["hr_msi"])
    facts = json.loads((tmp_path / "a" / "dead_leaves" / "pair.json").read_text(encoding="utf-8"))
    assert facts["snr_hsi_db"] == 20
    assert facts["noise_seed"] == 5
    power = np.mean(clean["lr_hsi"] ** 2) / np.mean((noisy["lr_hsi"] - clean["lr_hsi"]) ** 2)
    assert 10 * np.log10(power) == pytest.approx(20, abs=0.7)
    assert facts["noise_sigma_hsi"] == pytest.approx(np.std(noisy["lr_hsi"] - clean["lr_hsi"]), rel=0.05)


@pytest.mark.parametrize("ending", ["npz", "mat"])
def test_pair_can_be_read_back(ending: str, config_file: str, tmp_path: Path) -> None:
    assert MAIN(["-c", config_file, "--output", str(tmp_path), "--format", ending]) == 0
    folder = tmp_path / "dead_leaves"
    config = load_config(None, read_back(folder, format=ending, known=("psf", "srf")))
    case = make_case(list_scenes(config.data)[0], config)
    seen, pair = case.observation, load(folder / f"pair.{ending}")
    np.testing.assert_array_equal(seen.lr_hsi, pair["lr_hsi"])
    np.testing.assert_array_equal(seen.hr_msi, pair["hr_msi"])
    assert seen.psf is not None
    assert seen.srf is not None
    np.testing.assert_allclose(seen.psf, pair["psf"])
    np.testing.assert_allclose(seen.srf, pair["srf"])
    assert seen.wavelengths_nm is not None
    assert seen.scale == 4
    assert case.reference is None


def test_one_bad_scene_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    np.save(scenes / "good.npy", np.random.RandomState(0).uniform(size=(16, 16, 31)))
    np.save(scenes / "bad.npy", np.full((16, 16, 31), np.nan))
    config = tmp_path / "c.yml"
    config.write_text(f"data: {{path: '{scenes.as_posix()}', layout: hwc, wavelengths_nm: [400, 700]}}\n")
    assert MAIN(["-c", str(config), "--output", str(tmp_path / "out")]) == 3
    assert (tmp_path / "out" / "good" / "truth.npz").is_file()
    assert "error: bad" in capsys.readouterr().err


def test_wrong_use_is_one_line(tmp_path: Path, config_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert MAIN(["-c", config_file, "-o", f"data.path={(tmp_path / 'none.mat').as_posix()}"]) == 3
    assert MAIN(["-c", config_file, "-o", "observe.skale=4"]) == 2
    MAIN(["-c", config_file, "--output", str(tmp_path)])
    pair = [part for o in read_back(tmp_path / "dead_leaves") for part in ("-o", o)]
    assert MAIN(["-c", config_file, *pair]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)


@pytest.mark.parametrize(
    ("more", "known"),
    [(["observe.scale=4"], (False, False)), (["observe.known_psf=true", "observe.known_srf=true"], (True, True))],
)
def test_the_printed_command_fuses_the_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], known: tuple[bool, bool]
) -> None:
    """A crop and bands that were sorted, as in demo.yml; a path with a blank; settings of the command line."""
    scene, nm = np.random.RandomState(0).uniform(0.1, 1.0, size=(40, 48, 6)), [400, 420, 480, 460, 440, 500]
    np.save(tmp_path / "scene.npy", scene)
    srf = np.arange(1.0, 13.0).reshape(2, 6)
    srf[1, [0, 1, 5]] = 0
    np.savetxt(tmp_path / "srf.csv", srf, delimiter=",")
    config = tmp_path / "c.yml"
    config.write_text(
        f"method: bicubic\ndata: {{path: '{(tmp_path / 'scene.npy').as_posix()}', layout: hwc, crop: [4, 8, 33, 32],\n"
        f"  wavelengths_nm: {nm}}}\nobserve: {{scale: 8, srf: '{(tmp_path / 'srf.csv').as_posix()}'}}\n"
    )
    assert MAIN(["-c", str(config), "-o", *more, "--output", str(tmp_path / "my pairs, #1")]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1].partition(": ")[2])
    assert command[:2] == ["python", "tools/train.py"]
    assert command[2] == "-c"
    assert command[4] == "-o"
    settings, _ = open_run(command[3], command[5:], None, str(tmp_path / "runs"), None)
    seen = make_case(list_scenes(settings.data)[0], settings).observation
    made = load(tmp_path / "my pairs, #1" / "scene" / "pair.npz")
    np.testing.assert_array_equal(seen.lr_hsi, made["lr_hsi"])
    np.testing.assert_array_equal(seen.hr_msi, made["hr_msi"])
    assert seen.supports == ((0, 6), (2, 5))
    assert seen.scale == (4 if "observe.scale=4" in more else 8)
    assert (seen.psf is not None, seen.srf is not None) == known
    if seen.srf is not None:
        np.testing.assert_allclose(seen.lr_hsi @ seen.srf.T, made["lr_hsi"] @ made["srf"].T, rtol=1e-6)


def test_an_output_that_is_a_file(tmp_path: Path, config_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "afile").write_text("")
    assert MAIN(["-c", config_file, "--output", str(tmp_path / "afile")]) == 3
    assert "a file: " in capsys.readouterr().err
    with pytest.raises(DataError, match="cannot be written"):
        write_json(tmp_path / "afile" / "a.json", {})


def test_stopped_by_the_user(
    tmp_path: Path, config_file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paddle_umsft.runs.scene.make_case", stopped)
    assert MAIN(["-c", config_file, "--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err.startswith("interrupted")

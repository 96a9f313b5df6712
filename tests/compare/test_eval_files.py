"""tools/eval.py: files of all kinds and run folders against the truth, and the tables of them."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.io
from eval_calls import DEMO, demo_run, rows_of

from paddle_umsft.compare.files import ScoredResult
from paddle_umsft.compare.hints import hints
from paddle_umsft.compare.settings import Settings
from paddle_umsft.compare.side_by_side import evaluate_all
from paddle_umsft.compare.tables import bands_table, csv_table, results_table
from paddle_umsft.config.load import load_config
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.metrics import evaluate, qnr
from paddle_umsft.runs.scene import make_case


def test_npy_and_foreign_mat(tool: ModuleType, truth: np.ndarray, tmp_path: Path) -> None:
    """Another program's file: bands first, values up to 4095, beside another array."""
    rng = np.random.default_rng(1)
    good, other = truth + 0.01, truth + rng.normal(0, 0.05, truth.shape)
    np.save(tmp_path / "good.npy", good)
    content = {"S": (4095 * other).transpose(2, 0, 1), "noise": rng.uniform(size=(3, 4, 5))}
    scipy.io.savemat(tmp_path / "other.mat", content)
    common = ["--reference", str(tmp_path / "truth.npy"), "--scale", "8", "--csv", str(tmp_path / "out.csv")]
    assert tool.main([str(tmp_path / "good.npy"), *common, "--convention", "all"]) == 0
    rows = rows_of(tmp_path / "out.csv")
    assert [row["convention"] for row in rows] == ["author", "dian", "yokoya"]
    assert float(rows[0]["PSNR"]) == pytest.approx(40.0, abs=1e-3)
    assert list(rows[0])[:8] == ["file", "scene", "convention", "PSNR", "SAM", "ERGAS", "SSIM", "RMSE"]

    options = ["--key", "S", "--layout", "chw", "--result-normalise", "4095"]
    (tmp_path / "bands_first").mkdir()
    np.save(tmp_path / "bands_first" / "truth.npy", truth.transpose(2, 0, 1) * 1000)
    common[1] = str(tmp_path / "bands_first" / "truth.npy")
    assert tool.main([str(tmp_path / "other.mat"), *common, *options]) == 0
    expected = evaluate(truth, other, scale=8)
    for key, value in expected.items():
        assert float(rows_of(tmp_path / "out.csv")[0][key]) == pytest.approx(value, rel=1e-4), key


def test_run_folder_needs_no_reference(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo_run(tmp_path / "run", [1, 2])
    files = [str(tmp_path / name) for name in ("t.csv", "t.md", "t.tex")]
    options = ["--csv", files[0], "--markdown", files[1], "--latex", files[2], "--without-truth", "--per-band"]
    assert tool.main([str(tmp_path / "run"), *options]) == 0
    rows = rows_of(tmp_path / "t.csv")
    assert [row["scene"] for row in rows[2:]] == ["mean", "std"]
    # Errors of 0.01 and 0.02 everywhere: 40 and 33.98 dB.
    values = [40.0, 40.0 - 20 * math.log10(2)]
    assert [float(row["PSNR"]) for row in rows] == pytest.approx(
        [*values, np.mean(values), np.std(values, ddof=1)], abs=1e-3
    )
    assert float(rows[0]["PSNR_HSI"]) == pytest.approx(40.0, abs=0.05)
    assert 0 < float(rows[0]["QNR"]) <= 1
    screen = capsys.readouterr().out
    assert "36.99 ± 4.26" in screen
    assert screen.count("author") == 3 + 2 * 31
    markdown = " ".join((tmp_path / "t.md").read_text(encoding="utf-8").split())
    assert "| run | mean of 2 | author | 36.99 ± 4.26 |" in markdown
    latex = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"36.99 $\pm$ 4.26" in latex
    assert r"D\_lambda" in latex
    # One scene's folder, or its file, is enough.
    for part in ("leaves2", "leaves2/fused.npy"):
        assert tool.main([str(tmp_path / "run" / part), "--csv", files[0]]) == 0
        assert float(rows_of(tmp_path / "t.csv")[0]["PSNR"]) == pytest.approx(values[1], abs=1e-3)


def test_folder_of_results_and_folder_of_truths(tool: ModuleType, tmp_path: Path) -> None:
    """Matched by name."""
    rng = np.random.default_rng(5)
    for folder in ("truths", "results"):
        (tmp_path / folder).mkdir()
    for name, error in (("2", 0.1), ("10", 0.01)):
        cube = rng.uniform(0.1, 0.9, (16, 24, 4))
        cube[0, 0, 0] = 1.0
        scipy.io.savemat(tmp_path / "truths" / f"{name}.mat", {"hsi": cube})
        np.save(tmp_path / "results" / f"{name}.npy", cube + error)
    arguments = [str(tmp_path / "results"), "--reference", str(tmp_path / "truths"), "--scale", "8"]
    assert tool.main([*arguments, "--csv", str(tmp_path / "t.csv")]) == 0
    rows = rows_of(tmp_path / "t.csv")
    assert [(row["scene"], round(float(row["PSNR"]), 2)) for row in rows[:3]] == [("2", 20), ("10", 40), ("mean", 30)]


def test_perfect_result(truth: np.ndarray, tmp_path: Path) -> None:
    """Infinite PSNR in every table, and never the mean of others."""
    np.save(tmp_path / "same.npy", truth)
    settings = Settings([str(tmp_path / "same.npy")], reference=str(tmp_path / "truth.npy"), scale=8)
    (row,), failed = evaluate_all(settings)
    assert not failed
    assert row.figures["PSNR"] > 120  # float32 rounding of the division by the maximum
    infinite = ScoredResult("a", "g", "s", "author", {"PSNR": math.inf}, {"PSNR": np.array([math.inf, 3.0])})
    finite = [scored("b", scene, PSNR=value) for scene, value in (("t", 30.0), ("u", 40.0))]
    table = results_table([infinite, *finite])
    assert table.lines[0][-1] == "∞"
    assert csv_table([infinite]).csv().splitlines() == ["file,scene,convention,PSNR", "a,s,author,inf"]
    assert bands_table([infinite]).lines[1][-2:] == ["2", "3.00"]
    assert r"$\infty$" in table.latex()


def scored(file: str, scene: str, **figures: float) -> ScoredResult:
    return ScoredResult(file=file, group="g", scene=scene, convention="author", figures=figures)


def test_a_mean_says_of_how_many_scenes_it_is() -> None:
    """By hand: 30 and 40 dB have the mean 35 and the sample deviation 10/√2; the third scene has no finite PSNR."""
    rows = [scored("x", "a", PSNR=30.0, SAM=1.0), scored("x", "b", PSNR=40.0, SAM=2.0)]
    third = scored("x", "c", PSNR=math.inf, SAM=3.0)
    assert results_table(rows).lines[-1][1:] == ["mean of 2", "author", "35.00 ± 7.07", "1.50 ± 0.71"]
    assert results_table([*rows, third]).lines[-1][1:] == [
        "mean of 3", "author", "35.00 ± 7.07 (of 2)", "2.00 ± 1.00",
    ]  # fmt: skip
    # The mean of one is none.
    assert results_table([rows[0], third]).lines[-1][1:] == ["mean of 2", "author", "–", "2.00 ± 1.41"]
    assert csv_table([rows[0], third]).lines[-2][3:] == ["", "2.0"]


def test_overrides_and_normalise_are_never_dropped(tool: ModuleType, truth: np.ndarray, tmp_path: Path) -> None:
    """Each of them changes a figure that can be told beforehand."""
    out = str(tmp_path / "t.csv")

    def psnr(*arguments: str) -> float:
        assert tool.main([*arguments, "--csv", out]) == 0
        return float(rows_of(Path(out))[0]["PSNR"])

    demo_run(tmp_path / "run", [1])
    run = str(tmp_path / "run")
    assert psnr(run) == pytest.approx(40.0, abs=1e-3)
    # Another scene, or another divisor, is another truth.
    assert psnr(run, "-o", "data.demo.seed=2") < 30
    assert psnr(run, "-o", "data.normalise=2") < 30
    assert psnr(run, "--normalise", "2") < 30
    np.save(tmp_path / "raw.npy", truth * 1000 + 10)
    raw = [str(tmp_path / "raw.npy"), "--reference", str(tmp_path / "truth.npy"), "--scale", "8"]
    same = ["--result-normalise", "1000"]
    assert psnr(*raw, *same) == pytest.approx(40.0, abs=1e-3)
    assert psnr(*raw, *same, "-o", "data.normalise=1000") == pytest.approx(40.0, abs=1e-3)
    assert psnr(*raw, "-o", "data.normalise=none") < -15  # an error of 10, peak 1
    assert psnr(*raw, "--normalise", "none") < -15


def test_files_named_one_by_one_are_averaged_and_folders_of_one_name_kept_apart(
    tool: ModuleType, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    (tmp_path / "truths").mkdir()
    for name in ("1", "2"):
        cube = rng.uniform(0.1, 0.9, (16, 24, 4))
        np.save(tmp_path / "truths" / f"{name}.npy", cube)
        for method, error in (("old", 0.1), ("new", 0.01)):
            (tmp_path / method / "results").mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / method / "results" / f"{name}.npy", cube + error)
    common = ["--reference", str(tmp_path / "truths"), "--scale", "8", "--normalise", "none"]
    common += ["--csv", str(tmp_path / "t.csv")]
    files = [str(tmp_path / "new" / "results" / f"{name}.npy") for name in ("1", "2")]
    assert tool.main([*files, *common]) == 0
    mean = rows_of(tmp_path / "t.csv")[2]
    assert (mean["file"], mean["scene"]) == ("results", "mean")
    assert float(mean["PSNR"]) == pytest.approx(40, abs=1e-3)
    assert tool.main([str(tmp_path / method / "results") for method in ("old", "new")] + common) == 0
    means = [row for row in rows_of(tmp_path / "t.csv") if row["scene"] == "mean"]
    assert [round(float(row["PSNR"]), 2) for row in means] == [20, 40]
    assert [Path(row["file"]).parent.name for row in means] == ["old", "new"]


def test_run_on_a_given_pair_has_figures_without_a_truth(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = make_case(list_scenes(load_config(None, DEMO).data)[0], load_config(None, DEMO))
    seen = case.observation
    np.savez(tmp_path / "pair.npz", hsi=seen.lr_hsi, msi=seen.hr_msi)
    pair = [f"data.lr_hsi={tmp_path / 'pair.npz'}", f"data.hr_msi={tmp_path / 'pair.npz'}", "data.layout=hwc"]
    config = load_config(None, [*pair, "data.lr_key=hsi", "data.hr_key=msi", "data.normalise=none"])
    (tmp_path / "run" / "pair").mkdir(parents=True)
    (tmp_path / "run" / "pair" / "config.yml").write_text(config.to_yaml(), encoding="utf-8")
    np.save(tmp_path / "run" / "pair" / "fused.npy", case.reference)
    arguments = [str(tmp_path / "run"), "--csv", str(tmp_path / "t.csv")]
    assert tool.main(arguments) == 2
    assert "--without-truth" in capsys.readouterr().err
    known = ["-o", "observe.known_psf=true", "observe.known_srf=true"]
    assert tool.main([*arguments, "--without-truth", "--convention", "all", *known]) == 0
    (row,) = rows_of(tmp_path / "t.csv")
    assert case.reference is not None
    for name, value in qnr(case.reference, seen.lr_hsi, seen.hr_msi, scale=4).items():
        assert float(row[name]) == pytest.approx(value)
    assert float(row["PSNR_HSI"]) > 100
    assert "PSNR" not in row
    extra = ["--without-truth", "--baselines", "--presets", "--output", str(tmp_path / "panels")]
    assert tool.main([*arguments, *extra]) == 0
    assert [line["file"] for line in rows_of(tmp_path / "t.csv")][1:] == ["bicubic", "gsa", "sfim", "cnmf"]
    assert (tmp_path / "panels" / "pair" / "gsa.npy").is_file()
    # A truth from elsewhere does not tell the scale that the pair had.
    np.save(tmp_path / "truth.npy", case.reference)
    against = [*arguments, "--reference", str(tmp_path / "truth.npy")]
    assert tool.main(against) == 2
    assert tool.main([*against, "--scale", "4", "--normalise", "none"]) == 0
    assert float(rows_of(tmp_path / "t.csv")[0]["PSNR"]) > 100


def test_foreign_result_beside_a_truth_whose_bands_were_sorted(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its order could be that of either; with its own wavelengths there is no question."""
    cube, nm = np.random.default_rng(6).uniform(0.1, 1.0, (16, 24, 4)), np.array([400, 500, 450, 550.0])
    np.savez(tmp_path / "truth.npz", hsi=cube, wavelengths_nm=nm)
    np.save(tmp_path / "theirs.npy", cube)
    np.savez(tmp_path / "told.npz", fused=cube + 0.01, wavelengths_nm=nm)
    common = ["--reference", str(tmp_path / "truth.npz"), "--scale", "8", "--normalise", "none"]
    assert tool.main([str(tmp_path / "theirs.npy"), *common]) == 3
    assert "wavelengths_nm" in capsys.readouterr().err
    assert tool.main([str(tmp_path / "told.npz"), *common, "--csv", str(tmp_path / "t.csv")]) == 0
    assert float(rows_of(tmp_path / "t.csv")[0]["PSNR"]) == pytest.approx(40, abs=1e-3)


def square_truth(folder: Path) -> np.ndarray:
    """A truth that is no mirror image of itself, saved with its maximum at 1, and a result 0.02 away from it."""
    random = np.random.default_rng(3)
    rows = np.linspace(0.1, 1, 48)[:, None, None]
    columns = np.linspace(1, 0.5, 48)[None, :, None]
    truth = (rows * columns**2 * np.linspace(1, 0.4, 6)).astype(np.float32)  # (48, 48, 6)
    truth /= truth.max()
    np.save(folder / "truth.npy", truth)
    return np.clip(truth + random.normal(0, 0.02, truth.shape), 0, None).astype(np.float32)


def said_of(
    tool: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str], result: np.ndarray, *more: str
) -> list[str]:
    """The lines beside the table."""
    np.save(folder / "theirs.npy", result)
    command = [str(folder / "theirs.npy"), "--reference", str(folder / "truth.npy"), "--scale", "8"]
    assert tool.main([*command, *more]) == 0
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("largest", [255.0, 65535.0, 4095.0, 3000.0])
def test_values_in_other_units_are_said_with_the_way_out(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], largest: float
) -> None:
    result = square_truth(tmp_path)
    (line,) = said_of(tool, tmp_path, capsys, np.round(result * largest).astype(np.uint16))
    found = float(line.rpartition(" ")[2])
    assert "theirs.npy: it fits more than 10 times better divided by" in line
    assert "--result-normalise" in line
    assert found == pytest.approx(largest, rel=0.01)
    assert found == largest or largest == 3000.0  # what many multiply by is named exactly
    assert said_of(tool, tmp_path, capsys, np.round(result * largest), "--result-normalise", str(found)) == []


def test_a_result_on_its_side_is_said_with_the_way_out(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The published code writes (W, H, C); with --transposed the figures are those of the upright result."""
    result = square_truth(tmp_path)
    (line,) = said_of(tool, tmp_path, capsys, result.swapaxes(0, 1))
    assert "rows and columns swapped" in line
    assert line.endswith("--transposed")
    assert len(said_of(tool, tmp_path, capsys, 255 * result.swapaxes(0, 1))) == 2
    table = ["--csv", str(tmp_path / "t.csv")]
    assert said_of(tool, tmp_path, capsys, result.swapaxes(0, 1), "--transposed", *table) == []
    lying = float(rows_of(tmp_path / "t.csv")[0]["PSNR"])
    assert said_of(tool, tmp_path, capsys, result, *table) == []
    assert float(rows_of(tmp_path / "t.csv")[0]["PSNR"]) == pytest.approx(lying) == pytest.approx(34, abs=0.1)


def test_a_shape_on_its_side_is_refused_with_the_way_out(
    tool: ModuleType, truth: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "theirs.npy", truth.swapaxes(0, 1))
    command = [str(tmp_path / "theirs.npy"), "--reference", str(tmp_path / "truth.npy"), "--scale", "8"]
    assert tool.main(command) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "expected (40, 56, 6), got (56, 40, 6); add --transposed" in error
    assert tool.main([*command, "--transposed"]) == 0
    assert " 1.0000 " in capsys.readouterr().out  # SSIM


@pytest.mark.parametrize("kind", ["poor", "dark", "negative", "perfect", "a hair too bright"])
def test_nothing_is_said_where_nothing_is_to_be_said(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    result = square_truth(tmp_path)
    made = {
        "poor": np.random.default_rng(0).uniform(size=result.shape),
        "dark": 0.9 * result,
        "negative": -result,
        "perfect": np.load(tmp_path / "truth.npy"),
        "a hair too bright": np.load(tmp_path / "truth.npy") * np.float32(1.001),
    }[kind]
    assert said_of(tool, tmp_path, capsys, made) == []
    assert hints(result, 0 * result) == []  # nothing can be said of nothing

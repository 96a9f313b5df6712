"""tools/eval.py: files of all kinds against the truth, run folders, baselines, tables, exit codes."""

from __future__ import annotations

import csv
import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.io

from paddle_umsft.config import load_config
from paddle_umsft.data.readers import list_scenes, read_scene
from paddle_umsft.evaluation import Row, Settings
from paddle_umsft.metrics import evaluate, qnr
from paddle_umsft.run import make_case
from paddle_umsft.side_by_side import candidates, evaluate_all
from paddle_umsft.tables import bands_table, csv_table, results_table

DEMO = ["data.path=demo://dead_leaves", "data.demo.height=32", "data.demo.width=48", "observe.scale=4"]


@pytest.fixture(name="tool", scope="module")
def tool_fixture() -> ModuleType:
    file = Path(__file__).resolve().parents[1] / "tools" / "eval.py"
    spec = importlib.util.spec_from_file_location("tools_eval", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="truth")
def truth_fixture(tmp_path: Path) -> np.ndarray:
    """A non-square truth with maximum 1, saved as truth.npy times 1000."""
    truth = np.random.default_rng(0).uniform(0.1, 1.0, (40, 56, 6)).astype(np.float32)
    truth[3, 5, 2] = 1.0
    np.save(tmp_path / "truth.npy", truth * 1000)
    return truth


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_npy_and_foreign_mat(tool: ModuleType, truth: np.ndarray, tmp_path: Path) -> None:
    """Another program's file: bands first, values up to 4095, beside another array."""
    rng = np.random.default_rng(1)
    good, other = truth + 0.01, truth + rng.normal(0, 0.05, truth.shape)
    np.save(tmp_path / "good.npy", good)
    content = {"S": (4095 * other).transpose(2, 0, 1), "noise": rng.uniform(size=(3, 4, 5))}
    scipy.io.savemat(tmp_path / "other.mat", content)
    common = ["--reference", str(tmp_path / "truth.npy"), "--scale", "8", "--csv", str(tmp_path / "out.csv")]
    assert tool.main([str(tmp_path / "good.npy"), *common, "--convention", "all"]) == 0
    rows = _rows(tmp_path / "out.csv")
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
        assert float(_rows(tmp_path / "out.csv")[0][key]) == pytest.approx(value, rel=1e-4), key


def _run_folder(folder: Path, seeds: list[int]) -> list[np.ndarray]:
    """A finished run on demo scenes as train.py leaves it, (32, 48, 31) each."""
    truths = []
    for seed in seeds:
        config = load_config(None, [*DEMO, f"data.demo.seed={seed}"])
        scene = folder / f"leaves{seed}"
        scene.mkdir(parents=True)
        (scene / "config.yml").write_text(config.to_yaml(), encoding="utf-8")
        truths.append(read_scene(config.data).hr_hsi)
        np.save(scene / "fused.npy", truths[-1] + 0.01 * seed)
    return truths


def test_run_folder_needs_no_reference(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run_folder(tmp_path / "run", [1, 2])
    files = [str(tmp_path / name) for name in ("t.csv", "t.md", "t.tex")]
    options = ["--csv", files[0], "--markdown", files[1], "--latex", files[2], "--without-truth", "--per-band"]
    assert tool.main([str(tmp_path / "run"), *options]) == 0
    rows = _rows(tmp_path / "t.csv")
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
    markdown = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| run | mean of 2 | author | 36.99 ± 4.26 |" in markdown
    latex = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"36.99 $\pm$ 4.26" in latex
    assert r"D\_lambda" in latex
    # One scene's folder, or its file, is enough.
    for part in ("leaves2", "leaves2/fused.npy"):
        assert tool.main([str(tmp_path / "run" / part), "--csv", files[0]]) == 0
        assert float(_rows(tmp_path / "t.csv")[0]["PSNR"]) == pytest.approx(values[1], abs=1e-3)


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
    rows = _rows(tmp_path / "t.csv")
    assert [(row["scene"], round(float(row["PSNR"]), 2)) for row in rows[:3]] == [("2", 20), ("10", 40), ("mean", 30)]


def test_baselines(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "panels"
    arguments = ["--baselines", "--presets", "--output", str(target), "--csv", str(tmp_path / "t.csv"), "-o", *DEMO]
    assert tool.main(arguments) == 0
    rows = {row["file"]: float(row["PSNR"]) for row in _rows(tmp_path / "t.csv")}
    assert list(rows) == ["bicubic", "gsa", "sfim", "cnmf"]
    assert min(rows[name] for name in ("gsa", "sfim", "cnmf")) > rows["bicubic"]
    assert "dead_leaves: cnmf ..." in capsys.readouterr().err
    saved = np.load(target / "dead_leaves" / "gsa.npy")
    truth = read_scene(load_config(None, DEMO).data).hr_hsi
    assert evaluate(truth, saved, scale=4)["PSNR"] == pytest.approx(rows["gsa"])
    assert (target / "dead_leaves" / "comparison.png").stat().st_size > 10_000


def test_presets_take_the_scene_and_leave_their_own_settings() -> None:
    base = load_config(None, [*DEMO, "seed=7"])
    chosen = dict(candidates(base, ["published"]))
    assert list(chosen) == ["bicubic", "gsa", "sfim", "cnmf", "published"]
    assert chosen["published"].data == base.data
    assert chosen["published"].observe == base.observe
    assert chosen["published"].seed == 7
    assert chosen["published"].method == "umsft"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "nothing to compare"),
        (["good.npy"], 2, "--reference: no truth to compare with"),
        (["good.npy", "--reference", "truth.npy"], 2, "--scale: the scale is not known"),
        (["good.npy", "--reference", "truth.npy", "--scale", "1"], 2, "--scale: not a scale factor"),
        (["good.npy", "--reference", "truth.npy", "--scale", "8", "--normalise", "half"], 2, "no such normalisation"),
        (["missing.npy", "--reference", "truth.npy", "--scale", "8"], 3, "missing.npy: no such file or folder"),
        (["good.npy", "--reference", "missing.npy", "--scale", "8"], 3, "missing.npy"),
        (["small.npy", "--reference", "truth.npy", "--scale", "8"], 3, "shape differs from the reference"),
        (["nan.npy", "--reference", "truth.npy", "--scale", "8"], 3, "nan.npy"),
        (["text.mat", "--reference", "truth.npy", "--scale", "8"], 3, "text.mat"),
        (["empty", "--reference", "truth.npy", "--scale", "8"], 3, "empty"),
        (["good.npy", "--reference", "truth.npy", "--scale", "8", "--csv", "text.mat/t.csv"], 3, "cannot be written"),
        (["--baselines", "--presets", "fastest", "-o", *DEMO], 2, "fastest"),
        (["--baselines", "-o", "observe.scales=4"], 2, "scales"),
    ],
)
def test_bad_input_is_one_line_and_the_right_exit_code(
    tool: ModuleType,
    truth: np.ndarray,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("good.npy", truth)
    np.save("small.npy", truth[:32])
    np.save("nan.npy", np.where(truth == 1.0, np.nan, truth))
    Path("text.mat").write_text("not a MATLAB file", encoding="utf-8")
    Path("empty").mkdir()
    assert tool.main(arguments) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_one_bad_file_does_not_stop_the_others(
    tool: ModuleType, truth: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "good.npy", truth)
    np.save(tmp_path / "small.npy", truth[:32])
    files = [str(tmp_path / name) for name in ("small.npy", "good.npy")]
    assert tool.main([*files, "--reference", str(tmp_path / "truth.npy"), "--scale", "8"]) == 3
    out, error = capsys.readouterr()
    assert "good.npy" in out
    assert error.startswith(f"error: {files[0]}: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--convention", "matlab"], ["--layout", "whc"], ["--colour"]])
def test_bad_usage(tool: ModuleType, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tool.main(["x.npy", *arguments])
    assert caught.value.code == 2


def test_perfect_result(truth: np.ndarray, tmp_path: Path) -> None:
    """Infinite PSNR in every table, and never the mean of others."""
    np.save(tmp_path / "same.npy", truth)
    settings = Settings([str(tmp_path / "same.npy")], reference=str(tmp_path / "truth.npy"), scale=8)
    (row,), failed = evaluate_all(settings)
    assert not failed
    assert row.figures["PSNR"] > 120  # float32 rounding of the division by the maximum
    infinite = Row("a", "g", "s", "author", {"PSNR": math.inf}, {"PSNR": np.array([math.inf, 3.0])})
    finite = [Row("b", "g", scene, "author", {"PSNR": value}) for scene, value in (("t", 30.0), ("u", 40.0))]
    table = results_table([infinite, *finite])
    assert table.lines[0][-1] == "∞"
    assert table.lines[-1][-1] == "35.00 ± 7.07"
    assert csv_table([infinite]).csv().splitlines() == ["file,scene,convention,PSNR", "a,s,author,inf"]
    assert bands_table([infinite]).lines[1][-2:] == ["2", "3.00"]
    assert r"$\infty$" in table.latex()


def test_overrides_and_normalise_are_never_dropped(tool: ModuleType, truth: np.ndarray, tmp_path: Path) -> None:
    """Each of them changes a figure that can be told beforehand."""
    out = str(tmp_path / "t.csv")

    def psnr(*arguments: str) -> float:
        assert tool.main([*arguments, "--csv", out]) == 0
        return float(_rows(Path(out))[0]["PSNR"])

    _run_folder(tmp_path / "run", [1])
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


def test_baselines_run_on_the_scenes_that_are_compared(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        cube = rng.uniform(0.1, 1.0, (16, 24, 6))
        np.save(tmp_path / "scenes" / f"{name}.npy", cube)
        config = load_config(
            None, [f"data.path={tmp_path / 'scenes'}", "data.layout=hwc", "observe.srf=uniform", "observe.scale=4"]
        )
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / "config.yml").write_text(config.to_yaml(), encoding="utf-8")
        np.save(tmp_path / "run" / name / "fused.npy", cube)
    one = [str(tmp_path / "run" / "b"), "--baselines", "--presets", "--csv", str(tmp_path / "t.csv")]
    assert tool.main(one) == 0
    assert {row["scene"] for row in _rows(tmp_path / "t.csv")} == {"b"}
    _run_folder(tmp_path / "seeds", [1, 2])
    assert tool.main([str(tmp_path / "seeds"), *one[1:]]) == 0
    rows = [row for row in _rows(tmp_path / "t.csv") if row["file"] == "gsa" and row["scene"].startswith("leaves")]
    assert [row["scene"] for row in rows] == ["leaves1", "leaves2"]
    assert rows[0]["PSNR"] != rows[1]["PSNR"]


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
    mean = _rows(tmp_path / "t.csv")[2]
    assert (mean["file"], mean["scene"]) == ("results", "mean")
    assert float(mean["PSNR"]) == pytest.approx(40, abs=1e-3)
    assert tool.main([str(tmp_path / method / "results") for method in ("old", "new")] + common) == 0
    means = [row for row in _rows(tmp_path / "t.csv") if row["scene"] == "mean"]
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
    (row,) = _rows(tmp_path / "t.csv")
    assert case.reference is not None
    for name, value in qnr(case.reference, seen.lr_hsi, seen.hr_msi, scale=4).items():
        assert float(row[name]) == pytest.approx(value)
    assert float(row["PSNR_HSI"]) > 100
    assert "PSNR" not in row
    extra = ["--without-truth", "--baselines", "--presets", "--output", str(tmp_path / "panels")]
    assert tool.main([*arguments, *extra]) == 0
    assert [line["file"] for line in _rows(tmp_path / "t.csv")][1:] == ["bicubic", "gsa", "sfim", "cnmf"]
    assert (tmp_path / "panels" / "pair" / "gsa.npy").is_file()
    # A truth from elsewhere does not tell the scale that the pair had.
    np.save(tmp_path / "truth.npy", case.reference)
    against = [*arguments, "--reference", str(tmp_path / "truth.npy")]
    assert tool.main(against) == 2
    assert tool.main([*against, "--scale", "4", "--normalise", "none"]) == 0
    assert float(_rows(tmp_path / "t.csv")[0]["PSNR"]) > 100


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
    assert float(_rows(tmp_path / "t.csv")[0]["PSNR"]) == pytest.approx(40, abs=1e-3)


def test_an_output_that_cannot_be_is_said_before_anything_runs(
    tool: ModuleType, truth: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "afile").write_text("")
    command = ["--baselines", "--presets", "--reference", str(tmp_path / "truth.npy"), "--scale", "4"]
    command += ["-o", "observe.srf=uniform", "--output"]
    for folder in (tmp_path / "afile", tmp_path / "afile" / "deeper"):
        assert tool.main([*command, str(folder)]) == 3
        shown = capsys.readouterr()
        assert "bicubic" not in shown.err
        assert "afile" in shown.err
        assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "new").exists()
    (tmp_path / "out" / "truth" / "comparison.png").mkdir(parents=True)
    assert tool.main([*command, str(tmp_path / "out")]) == 3
    shown = capsys.readouterr()
    assert "cnmf" in shown.out
    assert "comparison" in shown.err.splitlines()[-1]
    assert (tmp_path / "out" / "truth" / "cnmf.npy").is_file()


def test_stopped_by_the_user(
    tool: ModuleType,
    truth: np.ndarray,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was compared before Ctrl-C is shown."""
    import paddle_umsft.side_by_side as side_by_side

    whole = side_by_side.run_method

    def run_method(observation: object, config: object) -> object:
        if getattr(config, "method", "") == "sfim":
            raise KeyboardInterrupt
        return whole(observation, config)  # type: ignore[arg-type]

    monkeypatch.setattr(side_by_side, "run_method", run_method)
    command = ["--baselines", "--presets", "--reference", str(tmp_path / "truth.npy"), "--scale", "4"]
    command += ["-o", "observe.srf=uniform", "--csv", str(tmp_path / "out.csv")]
    assert tool.main(command) == 130
    shown = capsys.readouterr()
    assert [row["file"] for row in _rows(tmp_path / "out.csv")] == ["bicubic", "gsa"]
    assert "gsa" in shown.out
    assert "interrupted" in shown.err.splitlines()[-1]
    monkeypatch.setattr(side_by_side, "evaluate_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert tool.main(command) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    ("option", "fact"),
    [
        (["--normalise", "0"], "--normalise: "),
        (["--normalise", "x"], "--normalise: "),
        (["--crop", "0", "0", "0", "10"], "--crop: "),
        (["--result-normalise", "-2"], "--result-normalise: "),
        (["--result-normalise", "x"], "--result-normalise: "),
    ],
)
def test_an_option_out_of_range_is_named(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str], fact: str
) -> None:
    for name in ("truth", "fused"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).uniform(0.1, 1.0, (16, 24, 6)))
    command = [str(tmp_path / "fused.npy"), "--reference", str(tmp_path / "truth.npy"), "--scale", "4"]
    assert tool.main([*command, *option]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"error: {fact}")
    assert "Value error" not in lines[0]

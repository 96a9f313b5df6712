"""tools/eval.py: bad input, bad usage, outputs that cannot be, Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from eval_calls import DEMO, rows_of


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
        (["good.npy", "--convention", "athor"], 2, "--convention: unknown convention"),
        (["good.npy", "--convention", "athor"], 2, "did you mean author?"),
        (["--baselines", "-o", "observe.psf.type=gausian", "observe.scale=4", *DEMO], 2, "did you mean gaussian?"),
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


@pytest.mark.parametrize("arguments", [["--layout", "whc"], ["--colour"]])
def test_bad_usage(tool: ModuleType, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tool.main(["x.npy", *arguments])
    assert caught.value.code == 2


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
    # A folder that can be made is not made before there is something to put into it.
    before = sorted(tmp_path.rglob("*"))
    assert tool.main([*command, str(tmp_path / "new"), "--convention", "author", "-o", "observe.srf=nonsense"]) != 0
    assert "bicubic" not in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "out" / "truth" / "comparison.png").mkdir(parents=True)
    assert tool.main([*command, str(tmp_path / "out")]) == 3
    shown = capsys.readouterr()
    assert "cnmf" in shown.out
    assert "comparison" in shown.err.splitlines()[-1]
    assert (tmp_path / "out" / "truth" / "cnmf.npy").is_file()
    assert not list(tmp_path.rglob(".tmp_*"))


def test_what_the_machine_refuses_costs_no_table(
    tool: ModuleType,
    truth: np.ndarray,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory runs out while the panel is drawn, or it stumbles: one line says so, after the table."""
    from paddle_umsft import figures

    def refuse(*_: object) -> None:
        raise MemoryError

    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(figures, "comparison", refuse)
    command = ["--baselines", "--presets", "--reference", str(tmp_path / "truth.npy"), "--scale", "4"]
    command += ["-o", "observe.srf=uniform", "--output", str(tmp_path / "out")]
    assert tool.main(command) == 3
    shown = capsys.readouterr()
    assert "cnmf" in shown.out
    assert shown.err.splitlines()[-1].startswith("error: truth: out of memory")
    monkeypatch.setattr(figures, "comparison", stumble)
    assert tool.main(command) != 0
    shown = capsys.readouterr()
    assert "cnmf" in shown.out
    assert "ZeroDivisionError" in shown.err.splitlines()[-1]
    assert "Traceback" not in shown.err


def test_stopped_by_the_user(
    tool: ModuleType,
    truth: np.ndarray,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was compared before Ctrl-C is shown."""
    import paddle_umsft.compare.side_by_side as side_by_side

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
    assert [row["file"] for row in rows_of(tmp_path / "out.csv")] == ["bicubic", "gsa"]
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

"""What goes wrong while train.py runs: one line, an exit code, finished work intact."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from train_calls import BICUBIC, TINY, bicubic_run, one_line_error, scene_file, train


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["-c", "nosuch.yml"], 2, "nosuch.yml"),
        ([], 2, "no configuration"),
        (["-c", "published.yml"], 2, "data.path"),
        (["-c", "published.yml", "-o", "solver.iteratons=1"], 2, "did you mean solver.iterations"),
        (["-c", "published.yml", "-o", "data.path=nowhere.mat"], 3, "nowhere.mat"),
        (["-c", "demo_umsft.yml", "-o", "data.demo.height=64"], 3, "at least 128"),
        (["-c", "demo_umsft.yml", "-o", "observe.scale=500"], 3, "500"),
        (["--resume", "nowhere"], 3, "nowhere"),
        (["-c", "demo.yml", "-o", "evaluate.convention=yokoja"], 2, "did you mean yokoya?"),
        (["-c", "demo.yml", "-o", "observe.psf.type=bocks"], 2, "unknown PSF, expected one of reference"),
        (["-c", "demo_umsft.yml", "-o", "network.vgg_weights=nowhere.pth"], 3, "nowhere.pth"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, words: str
) -> None:
    extra = [] if "--resume" in argv else ["--output", str(tmp_path)]
    assert train(*argv, *extra) == code
    assert words in one_line_error(capsys)


def test_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import paddle

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("a GPU build of Paddle")
    assert train("-c", "demo_umsft.yml", "--device", "gpu", "--output", str(tmp_path)) == 2
    assert "no GPU" in one_line_error(capsys)


def test_output_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    path = scene_file(tmp_path)
    code = train("-c", "published.yml", "-o", *BICUBIC, f"data.path={path}", "--output", str(tmp_path / "file"))
    assert code == 3
    assert "not writable" in one_line_error(capsys)


def test_one_scene_that_does_not_fit_the_settings_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for name, bands in (("a", 9), ("b", 5), ("c", 9)):
        scene_file(scenes, f"{name}.npy", (24, 40, bands))
    settings = [*BICUBIC, "observe.msi_bands=2", "observe.supports=[[0,4],[4,9]]", f"data.path={scenes}"]
    assert train("-c", "published.yml", "-o", *settings, "--output", str(tmp_path / "out")) == 2
    assert one_line_error(capsys).startswith("b failed: ")
    with (tmp_path / "out" / "published" / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["a", "c", "mean"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("(ResourceExhausted) Fail to alloc memory of 12000000000 size, error code is 12."), "out of mem"),
        (RuntimeError("CUDA error(2), out of memory.\n [Hint: ...]"), "out of memory"),
        (np.linalg.LinAlgError("SVD did not converge"), "SVD did not converge"),
        (OSError(28, "No space left on device", "fused.npy"), "No space left"),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    words: str,
) -> None:
    from paddle_umsft.runs import scene as module

    fuse = module.run_method

    def refused(observation: Any, config: Any) -> Any:
        if observation.name == "1":
            raise error
        return fuse(observation, config)

    monkeypatch.setattr(module, "run_method", refused)
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for number in range(3):
        scene_file(scenes, f"{number}.npy")
    argv = ["-c", "published.yml", "-o", *BICUBIC, "--output", str(tmp_path / "out")]
    assert train(*argv, "-o", f"data.path={scenes}") == 3
    line = one_line_error(capsys)
    assert line.startswith("1 failed: 1: ")
    assert words in line
    assert (tmp_path / "out" / "published" / "2" / "metrics.json").is_file()
    assert train(*argv, "-o", f"data.path={scenes / '1.npy'}") == 3
    assert words in one_line_error(capsys)


def test_mistakes_in_the_program_are_not_taken_for_a_lack_of_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.runs import watched as umsft_run

    def broken(*args: Any) -> Any:
        raise RuntimeError("CUDA error(700), an illegal memory access was encountered.")

    monkeypatch.setattr(umsft_run, "fuse_watched", broken)
    argv = ["-c", "demo_umsft.yml", "-o", *TINY, "output.visualdl=false", "--output", str(tmp_path)]
    assert train(*argv) == 1
    line = one_line_error(capsys)
    assert line.startswith("error: a mistake of the program, got RuntimeError: CUDA error(700)")
    assert "--debug shows where" in line
    # Where it happened is for who looks for it.
    assert train(*argv, "--debug") == 1
    assert "in broken" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_is_one_line_and_costs_no_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.runs.callbacks import History

    on_record = History.on_record

    def fill_up(self: Any, record: Any, run: Any) -> None:
        if record["stage"] == "joint" and record["iteration"] == 4:
            os.dup2(os.open("/dev/full", os.O_WRONLY), self._file.fileno())
            for handler in run.log.handlers:
                if hasattr(handler, "baseFilename"):
                    os.dup2(os.open("/dev/full", os.O_WRONLY), handler.stream.fileno())
            run.log.info("a line for the log")
        on_record(self, record, run)

    monkeypatch.setattr(History, "on_record", fill_up)
    argv = ["-c", "demo_umsft.yml", "-o", *TINY, "output.checkpoint_every=1", "--output", str(tmp_path)]
    assert train(*argv) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    assert "log.txt: no longer written" in lines[0]
    assert "history.csv: cannot be written" in lines[1]
    assert "--resume from iter_3" in lines[1]
    monkeypatch.undo()
    assert train("--resume", str(tmp_path / "demo_umsft")) == 0
    assert (tmp_path / "demo_umsft" / "dead_leaves" / "metrics.json").is_file()


def test_a_report_that_cannot_be_written_leaves_no_scene_unfused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.runs import run as module

    def refused(folder: Path) -> Any:
        raise PermissionError(13, "Permission denied", "summary.csv")

    run = bicubic_run(tmp_path, count=3)
    for path in run.rglob("metrics.json"):
        path.unlink()
    capsys.readouterr()
    monkeypatch.setattr(module, "write_summary", refused)
    assert train("--resume", str(run)) == 3
    assert "Permission denied" in one_line_error(capsys)
    assert len(list(run.rglob("metrics.json"))) == 3


def test_stopped_while_paddle_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paddle_umsft.runs.scene.import_paddle", stopped)
    assert train("-c", "demo_umsft.yml", "--output", str(tmp_path)) == 130
    assert one_line_error(capsys).startswith("interrupted")

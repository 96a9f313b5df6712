"""`python tools/train.py`, as a user calls it: results on the disk, exit codes, one line for what is wrong."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
# UMSFT in the small: everything runs, in seconds.
TINY = [
    "data.demo.height=128", "data.demo.width=136", "network.width=6", "network.skip=2", "warm_up.iterations=3",
    "solver.iterations=6", "evaluate.interval=3", "evaluate.images=0", "output.checkpoint_every=2",
]  # fmt: skip


def train(*argv: str) -> int:
    spec = importlib.util.spec_from_file_location("train_tool", ROOT / "tools" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    code = module.main([*argv, "--quiet"])
    assert isinstance(code, int)
    return code


def run_demo(tmp_path: Path, *overrides: str, config: str = "demo_umsft.yml") -> Path:
    assert train("-c", config, "-o", *TINY, *overrides, "--output", str(tmp_path)) == 0
    return tmp_path / config.split(".")[0] / "dead_leaves"


def one_line_error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def scene_file(folder: Path, name: str = "a.npy", shape: tuple[int, int, int] = (24, 40, 7)) -> Path:
    cube = np.random.RandomState(sum(map(ord, name))).uniform(0.1, 1, size=shape).astype(np.float32)
    np.save(folder / name, cube)
    return folder / name


BICUBIC = ["method=bicubic", "observe.scale=4", "observe.srf=uniform", "output.visualdl=false", "output.figures=false"]


def test_run_folder_holds_everything(tmp_path: Path) -> None:
    scene = run_demo(tmp_path)
    fused = np.load(scene / "fused.npy")
    assert fused.shape == (128, 136, 31)
    assert fused.dtype == np.float32
    metrics = json.loads((scene / "metrics.json").read_text())
    assert metrics["convention"] == "author"
    assert set(metrics["fused"]) >= {"PSNR", "SAM", "ERGAS", "SSIM", "RMSE"}
    assert metrics["bicubic"]["PSNR"] > 10
    with (scene / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    stages = ["srf"] * 3 + ["psf"] * 3 + ["degradation"] * 3 + ["fuse"] * 2 + ["joint"] * 4
    assert [row["stage"] for row in rows] == stages
    assert float(rows[-1]["PSNR"]) == pytest.approx(metrics["fused"]["PSNR"], abs=1e-4)
    assert np.load(scene / "psf.npy").shape == (9, 9)
    assert np.load(scene / "psf.npy").sum() == pytest.approx(1)
    assert np.load(scene / "srf.npy").shape == (3, 31)
    assert np.load(scene / "wavelengths_nm.npy")[[0, -1]].tolist() == [400, 700]
    assert (scene / "overview.png").stat().st_size > 10_000
    assert (scene / "config.yml").is_file()
    assert "scale 8" in (scene / "log.txt").read_text()
    checkpoints = sorted(path.name for path in scene.glob("iter_*"))
    assert checkpoints == ["iter_4", "iter_6"]
    assert {path.name for path in (scene / "iter_6").iterdir()} == {"model.pdparams", "model.pdopt", "state.json"}
    with (tmp_path / "demo_umsft" / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["dead_leaves", "mean"]


def test_second_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    path = scene_file(tmp_path)
    for expected in ("published", "published-2"):
        code = train("-c", "published.yml", "-o", *BICUBIC, f"data.path={path}", "--output", str(tmp_path / "out"))
        assert code == 0
        assert (tmp_path / "out" / expected / "a" / "metrics.json").is_file()


def test_folder_of_scenes_survives_a_bad_one_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    scene_file(scenes, "1.npy")
    scene_file(scenes, "10.npy")
    bad = np.ones((24, 40, 7), np.float32)
    bad[3, 4, 5] = np.nan
    np.save(scenes / "2.npy", bad)
    out = tmp_path / "out"
    code = train("-c", "published.yml", "-o", *BICUBIC, f"data.path={scenes}", "--output", str(out))
    assert code == 3
    assert "2 failed" in one_line_error(capsys)
    with (out / "published" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["scene"] for row in rows] == ["1", "10", "mean"]
    psnr = [float(row["PSNR"]) for row in rows]
    assert psnr[2] == pytest.approx((psnr[0] + psnr[1]) / 2)
    # The bad scene is mended; the finished ones are not touched again.
    scene_file(scenes, "2.npy")
    before = (out / "published" / "1" / "fused.npy").stat().st_mtime_ns
    assert train("--resume", str(out / "published")) == 0
    assert (out / "published" / "1" / "fused.npy").stat().st_mtime_ns == before
    with (out / "published" / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4


def bicubic_run(tmp_path: Path, *overrides: str, count: int = 1) -> Path:
    """A folder of small scenes fused by bicubic; returns the run's folder."""
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for number in range(count):
        scene_file(scenes, f"{number}.npy")
    argv = ["-c", "published.yml", "-o", *BICUBIC, f"data.path={scenes}", *overrides, "--output", str(tmp_path / "out")]
    assert train(*argv) == 0
    return tmp_path / "out" / "published"


def test_resume_with_a_device_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path)
    before = (run / "config.yml").read_text()
    scene_file(tmp_path / "scenes", "later.npy")
    assert train("--resume", str(run), "--device", "cpu", "-o", "runtime.threads=1", "evaluate.interval=7") == 0
    assert train("--resume", str(run)) == 0
    assert (run / "config.yml").read_text() == before
    assert (run / "later" / "metrics.json").is_file()


def test_a_device_that_is_not_there_does_not_stay_with_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import paddle

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("a GPU build of Paddle")
    quick = [*TINY, "warm_up.iterations=1", "solver.iterations=1", "output.figures=false", "output.visualdl=false"]
    argv = ["-c", "demo_umsft.yml", "-o", *quick, "network.vgg_weights=nowhere.pth", "--output", str(tmp_path)]
    assert train(*argv) == 3
    run = tmp_path / "demo_umsft"
    before = {path: path.read_text() for path in (run / "config.yml", run / "dead_leaves" / "config.yml")}
    assert train("--resume", str(run), "--device", "gpu") == 2
    assert "no GPU" in capsys.readouterr().err
    assert {path: path.read_text() for path in before} == before
    # Nothing is done yet, so that what was wrong may still be set right, and stays right.
    assert train("--resume", str(run), "-o", "network.vgg_weights=null") == 0
    assert "vgg_weights: null" in (run / "config.yml").read_text()


@pytest.mark.parametrize("override", ["observe.scale=2", "seed=5", "evaluate.convention=dian"])
def test_resume_with_other_numbers_is_refused_and_harms_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str
) -> None:
    run = bicubic_run(tmp_path)
    scene_file(tmp_path / "scenes", "later.npy")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert train("--resume", str(run), "-o", override) == 3
    assert "another configuration" in one_line_error(capsys)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert train("--resume", str(run)) == 0


def test_a_launch_that_joins_another_ones_folder_harms_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bicubic_run(tmp_path)
    before = (run / "config.yml").read_text()
    capsys.readouterr()
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    argv = ["-c", "published.yml", "-o", *BICUBIC, "seed=5", f"data.path={tmp_path / 'scenes'}"]
    assert train(*argv, "--output", str(tmp_path / "out")) == 3
    assert "another output.name" in one_line_error(capsys)
    assert (run / "config.yml").read_text() == before


def test_no_mean_over_several_conventions(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path, count=2)
    path = run / "0" / "metrics.json"
    path.write_text(path.read_text().replace('"author"', '"dian"'))
    assert train("--resume", str(run)) == 0
    with (run / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["0", "1"]


def test_resume_by_a_scene_that_has_no_checkpoint_yet(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path, count=2)
    (run / "1" / "metrics.json").unlink()
    assert train("--resume", str(run / "1")) == 0
    assert (run / "1" / "metrics.json").is_file()
    assert not (run / "1" / "1").exists()


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
    from paddle_umsft import run as module

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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft import umsft_run

    def broken(*args: Any) -> Any:
        raise RuntimeError("CUDA error(700), an illegal memory access was encountered.")

    monkeypatch.setattr(umsft_run, "fuse_watched", broken)
    with pytest.raises(RuntimeError, match="illegal"):
        train("-c", "demo_umsft.yml", "-o", *TINY, "output.visualdl=false", "--output", str(tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_is_one_line_and_costs_no_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.callbacks import History

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


def test_given_pair_runs_without_truth(tmp_path: Path) -> None:
    rng = np.random.RandomState(0)
    scene = rng.uniform(0.1, 1, size=(24, 40, 7)).astype(np.float32)
    np.save(tmp_path / "lr.npy", scene.reshape(6, 4, 10, 4, 7).mean(axis=(1, 3)))
    np.save(tmp_path / "msi.npy", scene[:, :, :2])
    pair = [f"data.lr_hsi={tmp_path / 'lr.npy'}", f"data.hr_msi={tmp_path / 'msi.npy'}", "data.layout=hwc"]
    assert train("-c", "fast.yml", "-o", *pair, "--output", str(tmp_path / "out")) == 0
    (metrics,) = (tmp_path / "out" / "fast").glob("*/metrics.json")
    content = json.loads(metrics.read_text())
    assert "fused" not in content
    assert content["consistency"]["PSNR_HSI"] > 10
    assert np.load(metrics.parent / "fused.npy").shape == (24, 40, 7)


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


def test_mat_output(tmp_path: Path) -> None:
    from scipy.io import loadmat

    path = scene_file(tmp_path)
    overrides = [*BICUBIC, f"data.path={path}", "output.format=mat"]
    code = train("-c", "published.yml", "-o", *overrides, "--output", str(tmp_path))
    assert code == 0
    content: dict[str, Any] = loadmat(tmp_path / "published" / "a" / "fused.mat")
    assert content["fused"].shape == (24, 40, 7)


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_interrupt_saves_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft import solver as module

    whole = run_demo(tmp_path / "whole")
    step = module.FusionStage.step
    calls = []

    def interrupted_step(self: Any, iteration: int) -> dict[str, float]:
        calls.append(iteration)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # in the midst of a step, which is still finished
        return step(self, iteration)

    monkeypatch.setattr(module.FusionStage, "step", interrupted_step)
    assert train("-c", "demo_umsft.yml", "-o", *TINY, "--output", str(tmp_path)) == 130
    assert "--resume" in one_line_error(capsys)
    monkeypatch.undo()
    scene = tmp_path / "demo_umsft" / "dead_leaves"
    assert not (scene / "metrics.json").exists()
    assert (scene / "iter_3").is_dir()
    assert train("--resume", str(tmp_path / "demo_umsft")) == 0
    assert np.array_equal(np.load(scene / "fused.npy"), np.load(whole / "fused.npy"))
    columns = slice(0, 4)
    rows = [[line.split(",")[columns] for line in (f / "history.csv").read_text().splitlines()] for f in (scene, whole)]
    assert rows[0] == rows[1]


def test_share_of_work_is_taken_from_the_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for number in range(3):
        scene_file(scenes, f"{number}.npy")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    argv = ["-c", "published.yml", "-o", *BICUBIC, f"data.path={scenes}", "--output", str(tmp_path / "out")]
    for rank, done in (("0", ["0", "2"]), ("1", ["0", "1", "2"])):
        monkeypatch.setenv("PADDLE_TRAINER_ID", rank)
        assert train(*argv) == 0
        with (tmp_path / "out" / "published" / "summary.csv").open() as file:
            assert [row["scene"] for row in csv.DictReader(file)] == [*done, "mean"]


RANK = """
import sys, time
from pathlib import Path
from paddle_umsft.run import fuse_all, open_run
here, argv = Path(sys.argv[1]), sys.argv[2:]
(here / f"ready_{time.time_ns()}").touch()
while not (here / "go").exists():
    time.sleep(0.001)
fuse_all(*open_run("published.yml", argv, None, str(here / "out"), None), quiet=True)
assert "paddle" not in sys.modules
"""


def test_processes_of_one_launch_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Really at the same time: every scene is fused, and whoever writes last leaves the whole summary."""
    scenes, size = tmp_path / "scenes", 3
    scenes.mkdir()
    for number in range(60):
        scene_file(scenes, f"{number}.npy", (16, 24, 5))
    command = [sys.executable, "-W", "ignore", "-c", RANK, str(tmp_path), *BICUBIC, f"data.path={scenes}"]
    environment = {**os.environ, "PADDLE_TRAINERS_NUM": str(size), "PYTHONPATH": str(ROOT)}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen(command, env={**environment, "PADDLE_TRAINER_ID": str(rank)}, **quiet) for rank in range(size)
    ]
    while len(list(tmp_path.glob("ready_*"))) < size and all(process.poll() is None for process in processes):
        time.sleep(0.01)
    (tmp_path / "go").touch()
    errors = [process.communicate()[1] for process in processes]
    assert errors == [""] * size
    run = tmp_path / "out" / "published"
    with (run / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 61
    assert (run / "config.yml").is_file()
    assert not list(run.rglob(".tmp_*"))


def test_the_last_writer_sees_what_another_process_finished_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft import run as module

    write = module.write_summary

    def slow(folder: Path) -> Any:
        rows = write(folder)
        if not (folder / "other").exists():  # another process finishes, and its summary is replaced by this one
            (folder / "other").mkdir()
            (folder / "other" / "metrics.json").write_text((folder / "0" / "metrics.json").read_text())
        return rows

    monkeypatch.setattr(module, "write_summary", slow)
    with (bicubic_run(tmp_path) / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["0", "other", "mean"]


def test_a_report_that_cannot_be_written_leaves_no_scene_unfused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft import run as module

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


def test_a_resumed_run_stays_in_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene_file(tmp_path)
    data = [f"data.path={(tmp_path / 'a.npy').as_posix()}", "output.name=r"]
    assert train("-c", "fast.yml", "-o", *BICUBIC, *data, "--output", str(tmp_path / "out")) == 0
    capsys.readouterr()
    assert train("--resume", str(tmp_path / "out" / "r"), "--output", str(tmp_path / "elsewhere")) == 2
    assert "leave --output out" in one_line_error(capsys)
    assert not (tmp_path / "elsewhere").exists()


def test_stopped_while_paddle_is_imported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paddle_umsft.runtime_env.import_paddle", stopped)
    assert train("-c", "demo.yml") == 130
    assert one_line_error(capsys).startswith("interrupted")

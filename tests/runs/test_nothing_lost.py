"""Data, results and folders of a run: what was changed, cut, moved or is held by another run is noticed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT, program
from train_calls import BICUBIC, TINY, bicubic_run, one_line_error, scene_file, train

from paddle_umsft.config.run import MORE_SECTIONS
from paddle_umsft.data.listing import clean_name
from paddle_umsft.errors import DataError
from paddle_umsft.methods.table import METHODS, Method
from paddle_umsft.runs.lock import only_run_in
from paddle_umsft.runs.stopping import Terminated, termination_is_heard


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "link"])
def test_a_finished_scene_is_made_again_where_its_result_is_not_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    run = bicubic_run(tmp_path, count=2)
    cube = run / "0" / "fused.npy"
    good = cube.read_bytes()
    other = (run / "1" / "fused.npy").stat().st_mtime_ns
    if damage == "cut":
        cube.write_bytes(good[:500])
    elif damage == "flipped":
        cube.write_bytes(good[:-100] + bytes([good[-100] ^ 64]) + good[-99:])
    else:
        cube.unlink()
    if damage == "link":
        (tmp_path / "elsewhere.npy").write_bytes(good)
        cube.symlink_to(tmp_path / "elsewhere.npy")
    capsys.readouterr()
    assert train("--resume", str(run)) == 0
    told = capsys.readouterr().out
    assert "finished before, but fused.npy" in told
    assert "1: finished before, skipped" in told
    assert cube.read_bytes() == good
    assert not cube.is_symlink()
    assert (run / "1" / "fused.npy").stat().st_mtime_ns == other


def test_a_result_of_an_old_run_without_sums_must_be_there(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path)
    metrics = json.loads((run / "0" / "metrics.json").read_text())
    assert set(metrics["files"]) >= {"fused.npy", "true_psf.npy", "true_srf.npy"}
    del metrics["files"], metrics["seal"]
    (run / "0" / "metrics.json").write_text(json.dumps(metrics))
    assert train("--resume", str(run)) == 0
    (run / "0" / "fused.npy").unlink()
    assert train("--resume", str(run)) == 0
    assert (run / "0" / "fused.npy").is_file()


@pytest.mark.parametrize("damage", ["figure", "seal", "no json"])
def test_figures_changed_by_hand_are_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    run = bicubic_run(tmp_path, count=2)
    path = run / "0" / "metrics.json"
    good = path.read_text()
    summary = (run / "summary.csv").read_text()
    content = json.loads(good)
    if damage == "figure":
        content["fused"]["PSNR"] += 10
    elif damage == "seal":
        content["seal"] = "0" * 64
    path.write_text("{" * (damage == "no json") + json.dumps(content))
    capsys.readouterr()
    assert train("--resume", str(run)) == 0
    told = capsys.readouterr().out
    assert "finished before, but metrics.json is not what was written: made again" in told
    assert "1: finished before, skipped" in told
    assert json.loads(path.read_text())["fused"] == json.loads(good)["fused"]
    again = [row.rsplit(",", 1)[0] for row in (run / "summary.csv").read_text().splitlines()]
    assert again == [row.rsplit(",", 1)[0] for row in summary.splitlines()]  # all but the seconds


@pytest.mark.parametrize(
    "forged",
    [{"fused": "x"}, {"fused": {"=1+1": 3.0}}, {"fused": {"PSNR": 10**400}}, {"method": ["a"]}, {"seconds": {}}],
    ids=["text", "formula", "huge", "list", "dict"],
)
def test_a_run_folder_of_somebody_who_knows_of_the_seal_harms_no_table(tmp_path: Path, forged: dict[str, Any]) -> None:
    run = bicubic_run(tmp_path, count=2)
    path = run / "0" / "metrics.json"
    content = {**json.loads(path.read_text()), **forged}
    del content["seal"]
    content["seal"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content))
    # A folder's name, too, becomes a cell.
    shutil.copytree(run / "1", run / "=1+cmd")
    assert train("--resume", str(run)) == 0
    with (run / "summary.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=1+cmd" in cells
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)


def test_data_that_were_replaced_are_refused_and_put_back_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bicubic_run(tmp_path)
    file = tmp_path / "scenes" / "0.npy"
    before = file.read_bytes()
    np.save(file, np.random.RandomState(9).uniform(0.1, 1, size=(24, 40, 7)).astype(np.float32))
    capsys.readouterr()
    assert train("--resume", str(run)) == 3
    assert "the data have changed since this scene was begun" in one_line_error(capsys)
    file.write_bytes(before)
    assert train("--resume", str(run)) == 0


def test_the_same_data_under_another_path_are_the_same_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = bicubic_run(tmp_path, count=2)
    good = (run / "1" / "fused.npy").read_bytes()
    shutil.rmtree(run / "1")
    (tmp_path / "scenes").rename(tmp_path / "moved")
    assert train("--resume", str(run)) == 3
    assert "scenes" in one_line_error(capsys)
    assert train("--resume", str(run), "-o", f"data.path={tmp_path / 'moved'}") == 0
    assert "0: finished before, skipped" in capsys.readouterr().out
    assert (run / "1" / "fused.npy").read_bytes() == good
    # From now on the run knows where they are.
    assert train("--resume", str(run)) == 0
    # Other data of the same name are not the same.
    (tmp_path / "third").mkdir()
    for name in ("0.npy", "1.npy"):
        scene_file(tmp_path / "third", f"other{name}").rename(tmp_path / "third" / name)
    assert train("--resume", str(run), "-o", f"data.path={tmp_path / 'third'}") == 3
    assert "the data have changed" in capsys.readouterr().err


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Settings of a trained method that takes no time."""
    toy = program("tests/runs/test_toy_method.py")
    monkeypatch.setitem(MORE_SECTIONS, "toy", toy.ToySettings)
    row = Method(fuse=toy.fuse_toy, settings=lambda config: config.toy, trained=toy.ToySolver)  # type: ignore[attr-defined]
    monkeypatch.setitem(METHODS, "toy", row)
    return [*toy.TOY, "output.figures=false", "output.visualdl=false"]


def test_a_checkpoint_binds_the_data_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], quick: list[str]) -> None:
    scene = scene_file(tmp_path, "a.npy", (48, 64, 5))
    run = tmp_path / "out" / "demo_umsft"
    settings = [*quick, f"data.path={scene}"]
    assert train("-c", "demo_umsft.yml", "-o", *settings, "--output", str(tmp_path / "out")) == 0
    (run / "a" / "metrics.json").unlink()
    scene_file(tmp_path, "b.npy", (48, 64, 5)).rename(scene)
    capsys.readouterr()
    assert train("--resume", str(run)) == 3
    assert "the data have changed" in one_line_error(capsys)


@pytest.mark.skipif(os.name == "nt", reason="needs fcntl")
def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = bicubic_run(tmp_path)
    capsys.readouterr()
    with only_run_in(run, 0, 1):
        assert train("--resume", str(run)) == 3
        assert "another run is at work in this folder" in one_line_error(capsys)
    assert train("--resume", str(run)) == 0


@pytest.mark.skipif(os.name == "nt", reason="needs fcntl")
def test_processes_of_one_launch_share_a_folder_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paddle_umsft.runs.lock.PATIENCE_SECONDS", 0.2)
    monkeypatch.setenv("PADDLE_TRAINER_ENDPOINTS", "here:1,here:2")
    with only_run_in(tmp_path, 0, 2), only_run_in(tmp_path, 1, 2):
        for rank, size in ((0, 1), (0, 2), (2, 3)):  # a run alone, the same rank again, a larger launch
            with pytest.raises(DataError, match="another run"), only_run_in(tmp_path, rank, size):
                pass
        monkeypatch.setenv("PADDLE_TRAINER_ENDPOINTS", "here:3,here:4")
        with pytest.raises(DataError, match="another run"), only_run_in(tmp_path, 3, 4):
            pass
    with only_run_in(tmp_path, 1, 2):
        pass


HOLD = """
import sys, time
from pathlib import Path
from paddle_umsft.runs.lock import only_run_in
from paddle_umsft.runs.stopping import Terminated, termination_is_heard
with only_run_in(Path(sys.argv[1]), 0, 1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(DataError, match="another run"), only_run_in(tmp_path, 0, 1):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with only_run_in(tmp_path, 0, 1):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_the_systems_end_saves_and_says_143(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.methods.umsft import solver as module

    step = module.UmsftFusion.step

    def ended_step(self: Any, iteration: int) -> dict[str, float]:
        if iteration == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, iteration)

    monkeypatch.setattr(module.UmsftFusion, "step", ended_step)
    quick = [*TINY, "output.figures=false", "output.visualdl=false", "output.checkpoint_every=0"]
    assert train("-c", "demo_umsft.yml", "-o", *quick, "--output", str(tmp_path)) == 143
    assert "--resume" in one_line_error(capsys)
    assert (tmp_path / "demo_umsft" / "dead_leaves" / "iter_3").is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_the_systems_end_where_there_is_nothing_to_save(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("paddle_umsft.runs.scene.assess", ended)
    scene = scene_file(tmp_path)
    argv = ["-c", "fast.yml", "-o", *BICUBIC, f"data.path={scene}", "--output", str(tmp_path / "out")]
    assert train(*argv) == 143
    assert one_line_error(capsys).startswith("interrupted")


@pytest.mark.parametrize("where", ["pictures.write_pictures", "visualdl.add_finished", "visualdl.open_log"])
def test_what_only_shows_a_scene_cannot_cost_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def broken(*arguments: Any) -> Any:
        raise ValueError("no font,\nno backend")

    monkeypatch.setattr(f"paddle_umsft.runs.{where}", broken)
    settings = [*BICUBIC, f"data.path={scene_file(tmp_path)}", "output.figures=true", "output.visualdl=true"]
    assert train("-c", "fast.yml", "-o", *settings, "--output", str(tmp_path / "out")) == 0
    assert "ValueError: no font, no backend; the results are not touched by it" in capsys.readouterr().out
    assert (tmp_path / "out" / "fast" / "a" / "metrics.json").is_file()


def test_a_history_that_is_no_text_does_not_keep_a_run_from_going_on(tmp_path: Path, quick: list[str]) -> None:
    assert train("-c", "demo_umsft.yml", "-o", *quick, "--output", str(tmp_path)) == 0
    scene = tmp_path / "demo_umsft" / "dead_leaves"
    good = (scene / "fused.npy").read_bytes()
    for content in (b"\xff\xfe\x00" * 50, b"step,loss\n1," + b"9" * 200_000 + b"\n", b"step\n\x00\n"):
        (scene / "history.csv").write_bytes(content)
        (scene / "metrics.json").unlink()
        shutil.rmtree(scene / "iter_6")
        assert train("--resume", str(tmp_path / "demo_umsft")) == 0
        assert (scene / "fused.npy").read_bytes() == good


def test_names_that_would_lead_astray(tmp_path: Path) -> None:
    assert clean_name("..") == "scene"
    assert clean_name("iter_3") == "_iter_3"
    assert clean_name("=1+cmd") == "_=1+cmd"
    assert clean_name("a\nb\udc80/c") == "a_b__c"
    for ordinary in ("a", "10", "balloons_ms", "S2A_MSIL2A.T32", "Größe 2", "高光谱"):
        assert clean_name(ordinary) == ordinary
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    scene_file(scenes, "a.npy")
    scene_file(scenes, "a.npy.npy")
    np.savez(scenes / "a.npz", x=np.load(scene_file(tmp_path, "b.npy")))
    scene_file(scenes, "iter_3.npy")
    scene_file(scenes, "=1.npy")
    argv = ["-c", "fast.yml", "-o", *BICUBIC, f"data.path={scenes}", "--output", str(tmp_path / "out")]
    assert train(*argv) == 0
    run = tmp_path / "out" / "fast"
    assert len(list(run.glob("*/metrics.json"))) == 5
    assert train("--resume", str(run)) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fast"]
    with (run / "summary.csv").open(newline="", encoding="utf-8") as file:
        assert not any(row[0][0] in "=+-@" for row in csv.reader(file))


def test_one_scene_that_breaks_the_program_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.runs import scene as module

    make = module.make_case

    def broken(entry: Any, config: Any) -> Any:
        if entry.name == "1":
            raise IndexError("tuple index out of range")
        return make(entry, config)

    monkeypatch.setattr(module, "make_case", broken)
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for number in range(3):
        scene_file(scenes, f"{number}.npy")
    argv = ["-c", "fast.yml", "-o", *BICUBIC, f"data.path={scenes}", "--output", str(tmp_path / "out")]
    assert train(*argv) == 1
    assert one_line_error(capsys).startswith("1 failed: a mistake of the program, got IndexError")
    assert (tmp_path / "out" / "fast" / "2" / "metrics.json").is_file()


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
def test_links_and_pipes_in_a_run_folder_are_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = bicubic_run(tmp_path)
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    for name in ("log.txt", "metrics.json"):
        (run / "0" / name).unlink()
    (run / "0" / "log.txt").symlink_to(outside)
    os.mkfifo(run / "0" / "metrics.json")
    capsys.readouterr()
    assert train("--resume", str(run)) == 3
    assert "log.txt is a link" in one_line_error(capsys)
    assert outside.read_text() == "mine"
    (run / "0" / "log.txt").unlink()
    assert train("--resume", str(run)) == 0
    assert (run / "0" / "metrics.json").is_file()
    shutil.move(run / "0", tmp_path / "kept")
    (run / "0").symlink_to(tmp_path / "kept")
    assert train("--resume", str(run)) == 3
    assert "a link or a file of that name" in one_line_error(capsys)


class StopsInItsFinaliser:
    """A stop falls into code of which Python drops what is raised there."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass


def work_after_a_finaliser() -> None:
    StopsInItsFinaliser()
    for _ in range(500):
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_a_stop_in_a_finaliser_is_not_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    hook = sys.unraisablehook
    with pytest.raises(Terminated), termination_is_heard():
        work_after_a_finaliser()
    assert sys.unraisablehook is hook
    assert "Traceback" not in capsys.readouterr().err

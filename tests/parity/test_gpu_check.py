"""tools/gpu_check.py on the CPU: its parts work, one that fails leaves the others, and the file is whole after each."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from programs import program

from paddle_umsft.parity import gpu

NARROW = ("network.width=8",)


def test_the_machine_is_described() -> None:
    found = gpu.facts()
    assert found["note"] == "not run on a GPU by the developers of paddle_umsft"
    assert found["versions"]["paddle_umsft"]
    assert set(found["packages"]) <= {"paddlepaddle", "paddlepaddle-gpu"}


def test_what_fails_is_told() -> None:
    def broken() -> Any:
        raise OSError("CUDA error(209), no kernel image is available")

    assert gpu.guarded(broken)["error"] == "OSError: CUDA error(209), no kernel image is available"
    assert gpu.guarded(lambda: {"holds": True})["holds"] is True


def test_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "TIMED_STEPS", 1)
    monkeypatch.setattr(gpu, "WARM_STEPS", 1)
    found = gpu.steps(128, "cpu", more=NARROW)
    assert found["seconds_a_step"] > 0
    assert found["peak_mb"] is None
    assert len(found["losses"]) == 2
    assert all(math.isfinite(loss) for loss in found["losses"])


def test_every_part_is_written_as_soon_as_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[list[str]] = []
    file = tmp_path / "gpu_check.json"

    def steps(side: int, device: str, *, amp: str = "off") -> dict[str, Any]:
        written.append(list(json.loads(file.read_text(encoding="utf-8"))))
        if amp == "O1":
            raise RuntimeError("no AMP here")
        return {"side": side, "device": device}

    monkeypatch.setattr(gpu, "parity", lambda: {"holds": True})
    monkeypatch.setattr(gpu, "steps", steps)
    monkeypatch.setattr(gpu, "torch_step", lambda twin, side, device: {"twin": (twin / "torch_twin.py").is_file()})
    arguments = ["--device", "cpu", "--quick", "--output", str(file)]
    assert program("tools/gpu_check.py").main(arguments) == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert list(found) == ["machine", "parity", "umsft_128", "umsft_128_amp", "pytorch_128"]
    assert found["umsft_128"]["device"] == "cpu"
    assert found["umsft_128_amp"]["error"] == "RuntimeError: no AMP here"
    assert found["pytorch_128"]["twin"] is True
    assert written == [["machine", "parity"], ["machine", "parity", "umsft_128"]]


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import paddle

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("a GPU build of Paddle")
    assert program("tools/gpu_check.py").main(["--output", str(tmp_path / "x.json")]) == 2
    assert "no GPU that Paddle can use" in capsys.readouterr().err


@pytest.mark.slow
def test_all_of_it_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.setattr(gpu, "TIMED_STEPS", 1)
    tests = Path(__file__).parent
    assert gpu.parity()["holds"]
    assert gpu.torch_step(tests, 128, "cpu")["seconds_a_step"] > 0
    launched = gpu.two_ranks(tests.parents[1] / "tools" / "train.py", tmp_path, "cpu")
    assert (launched["exit_code"], launched["scenes_finished"]) == (0, 2)

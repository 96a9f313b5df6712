"""Which Paddle is there, and whether it fits: every kind of it made up, as no machine here has them all."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paddle_umsft.errors import ConfigError
from paddle_umsft.machine import environment, paddle_build
from paddle_umsft.machine.paddle_build import (
    both_packages,
    cpu_build_on_gpu_machine,
    gpus_of_machine,
    no_code_for_gpu,
    packages_line,
)

BOTH = {"paddlepaddle": "3.0.0", "paddlepaddle-gpu": "2.6.2"}


def test_no_paddle_is_one_line_with_the_file_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paddle_build, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "paddle", raising=False)
    with pytest.raises(ConfigError, match=r"PaddlePaddle is not installed.*requirements-cpu\.txt.*fast\.yml"):
        environment.import_paddle()


def test_a_paddle_that_breaks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError("libcudart.so.11.0: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "paddle", raising=False)
    monkeypatch.setattr(environment, "import_module", broken)
    monkeypatch.setattr(paddle_build, "paddle_packages", lambda: {"paddlepaddle-gpu": "2.6.2"})
    with pytest.raises(ConfigError, match=r"paddlepaddle-gpu 2\.6\.2 cannot be imported.*libcudart"):
        environment.import_paddle()
    monkeypatch.setattr(paddle_build, "paddle_packages", lambda: BOTH)
    with pytest.raises(ConfigError, match="both installed"):
        environment.import_paddle()


def test_both_packages_are_told_with_their_versions() -> None:
    told = both_packages(BOTH)
    assert told is not None
    assert "paddlepaddle 3.0.0 and paddlepaddle-gpu 2.6.2" in told
    assert "pip uninstall" in told
    assert both_packages({"paddlepaddle": "3.3.1"}) is None
    assert packages_line({}) == "a Paddle of no package"


def test_gpus_are_found_without_paddle(tmp_path: Path) -> None:
    driver, devices = tmp_path / "driver", tmp_path / "dev"
    assert gpus_of_machine(driver, devices) == []
    devices.mkdir()
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (devices / name).touch()
    assert gpus_of_machine(driver, devices) == ["an NVIDIA GPU"] * 2
    (driver / "0000:01:00.0").mkdir(parents=True)
    (driver / "0000:01:00.0" / "information").write_text("Model: \t\t Tesla V100-SXM2-32GB\nIRQ:   72\n")
    assert gpus_of_machine(driver, devices) == ["Tesla V100-SXM2-32GB"]


def test_a_gpu_lies_idle_under_a_build_for_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paddle_build, "paddle_packages", lambda: {"paddlepaddle": "3.3.1"})
    told = cpu_build_on_gpu_machine(False, ["Tesla V100"])
    assert told is not None
    assert "Tesla V100" in told
    assert "paddlepaddle 3.3.1 is a build for CPUs" in told
    assert cpu_build_on_gpu_machine(True, ["Tesla V100"]) is None
    assert cpu_build_on_gpu_machine(False, []) is None


@pytest.mark.parametrize(
    ("compiled", "capability", "has_code"),
    [
        ([70, 75, 80, 86], (8, 9), True),  # code of the same major number and a lower minor one runs
        ([70, 75, 80, 86], (9, 0), False),
        ([70, 75, 80, 86], (6, 1), False),
        (["80", "90"], (9, 0), True),
        ([86], (8, 0), False),
        ([], (9, 0), True),  # a build that does not say; it is tried
    ],
)
def test_code_for_the_gpu(compiled: list[Any], capability: tuple[int, int], has_code: bool) -> None:
    build = SimpleNamespace(cuda_archs=lambda: compiled)
    told = no_code_for_gpu(build, capability, "H100")
    assert (told is None) == has_code
    if told is not None:
        assert f"H100 (compute capability {capability[0]}.{capability[1]})" in told
    assert no_code_for_gpu(SimpleNamespace(), capability, "H100") is None  # Paddle 2.6


class FakeTensor:
    """What `paddle.ones([2])` would be on a GPU; without code for it, the sum fails."""

    def __init__(self, total: float) -> None:
        self.total = total

    def cuda(self) -> FakeTensor:
        return self

    def sum(self) -> float:
        if self.total < 0:
            raise OSError("(External) CUDA error(209), no kernel image is available for execution on the device")
        return self.total


@pytest.mark.parametrize(
    ("total", "complaint"), [(2.0, None), (-1.0, "cannot compute on H100.*no kernel image"), (0.0, "nonsense on H100")]
)
def test_a_build_that_lists_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, total: float, complaint: Any) -> None:
    from paddle_umsft.methods.networks import runtime

    cuda = SimpleNamespace(
        get_device_name=lambda number: "H100", get_device_capability=lambda number: (9, 0), device_count=lambda: 1
    )
    device = SimpleNamespace(cuda=cuda, is_compiled_with_cuda=lambda: True)
    ones = FakeTensor(total)
    fake = SimpleNamespace(device=device, version=SimpleNamespace(), ones=lambda shape: ones)
    monkeypatch.setattr(runtime, "paddle", fake)
    if complaint is None:
        assert runtime.choose_device("auto") == "gpu"
        assert runtime.choose_device("cpu") == "cpu"
    else:
        with pytest.raises(ConfigError, match=complaint):
            runtime.choose_device("auto")

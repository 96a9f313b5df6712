"""The learned blur by NumPy against the plain float64 layer, and the environment that is set before Paddle loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddle_umsft.machine import environment as runtime_env
from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.ops import mode
from paddle_umsft.methods.networks.psf_layers import LearnedPsf

AMD = "processor : 0\nvendor_id : AuthenticAMD\nphysical id : 0\ncore id : {}\nflags : fpu {}\n"


def _blur(psf: LearnedPsf, x: np.ndarray, dtype: str, way: str) -> list[np.ndarray]:
    ops.set_mode(way)
    psf.to(dtype=dtype)
    tensor = paddle.to_tensor(x.astype(dtype), stop_gradient=False)
    y = psf(tensor)
    weights = np.random.default_rng(4).standard_normal(tuple(y.shape)).astype(dtype)
    (y * paddle.to_tensor(weights)).sum().backward()
    found = [y.numpy(), tensor.grad.numpy(), psf.kernel.grad.numpy()]
    psf.clear_gradients()
    ops.set_mode("auto")
    return found


@pytest.mark.skipif(mode.library() is None, reason="no fast path here")
@pytest.mark.parametrize(
    ("scale", "height", "width", "bands"), [(8, 128, 64, 5), (3, 63, 21, 1), (2, 8, 6, 31), (32, 64, 96, 2)]
)
def test_learned_blur(scale: int, height: int, width: int, bands: int) -> None:
    psf = LearnedPsf(scale=scale)
    noise = np.random.default_rng(1).standard_normal(tuple(psf.kernel.shape)).astype(np.float32)
    psf.kernel.set_value(psf.kernel + paddle.to_tensor(0.1 * noise / scale))
    x = np.random.default_rng(2).random((1, bands, height, width)).astype(np.float32)
    fast = _blur(psf, x, "float32", "auto")
    for got, wanted in zip(fast, _blur(psf, x, "float64", "plain")):
        assert np.abs(got - wanted).max() <= 5e-6 * np.abs(wanted).max()


def test_cores_are_counted_once_per_physical_core() -> None:
    text = "\n\n".join(f"processor : {i}\nphysical id : 0\ncore id : {i // 2}" for i in range(64))
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    assert runtime_env.physical_cores(text) == len({i // 2 for i in allowed if i < 64})
    assert runtime_env.physical_cores("") == len(allowed)


@pytest.mark.parametrize(
    ("files", "membership", "wanted"),
    [
        ({"cpu.max": "200000 100000"}, "0::/", 2),
        ({"cpu.max": "50000 100000"}, "0::/", 1),
        ({"cpu.max": "390000 100000"}, "0::/../job", 3),
        ({"cpu.max": "max 100000"}, "0::/", None),
        ({"cpu.max": "800000 100000", "a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, "0::/a/b", 3),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, "4:memory:/x\n1:cpu:/x\n0::/", 4),
        ({"cpu,cpuacct/x/cpu.cfs_quota_us": "-1", "cpu,cpuacct/x/cpu.cfs_period_us": "1"}, "3:cpu,cpuacct:/x", None),
        ({"memory/cpu.cfs_quota_us": "100000", "memory/cpu.cfs_period_us": "100000"}, "4:memory:/", None),
        ({"cpu.max": "damaged"}, "0::/", None),
        ({}, "", None),
    ],
)
def test_limits_of_a_container(tmp_path: Path, files: dict[str, str], membership: str, wanted: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert runtime_env.cgroup_cores(tmp_path, membership) == wanted


def test_threads_are_limited_by_the_container_and_shared_with_launched_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PADDLE_LOCAL_SIZE", raising=False)
    monkeypatch.setattr(runtime_env, "physical_cores", lambda: 16)
    monkeypatch.setattr(runtime_env, "cgroup_cores", lambda: None)
    assert runtime_env.default_threads() == 16
    for processes, threads in (("4", 4), ("40", 1), ("no number", 16), ("0", 16)):
        monkeypatch.setenv("PADDLE_LOCAL_SIZE", processes)
        assert runtime_env.default_threads() == threads
    monkeypatch.setenv("PADDLE_LOCAL_SIZE", "2")
    monkeypatch.setattr(runtime_env, "cgroup_cores", lambda: 6)
    assert runtime_env.default_threads() == 3
    # The launcher imports Paddle, which leaves OMP_NUM_THREADS=1 to its children; a user's own 1 looks the same.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "limited to 6; OMP_NUM_THREADS=1" in runtime_env.thread_facts()
    assert "OMP_NUM_THREADS=3 before the launch" in runtime_env.thread_facts()
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert "launch" not in runtime_env.thread_facts()


@pytest.mark.parametrize(("flags", "wanted"), [("avx2 avx512f", "7"), ("avx2", "5"), ("sse4_2", None)])
def test_mkl_code_path_on_amd(flags: str, wanted: str | None) -> None:
    assert runtime_env.mkl_code_path(AMD.format(0, flags)) == wanted
    assert runtime_env.mkl_code_path(AMD.format(0, flags).replace("AuthenticAMD", "GenuineIntel")) is None


def _run(script: str, **variables: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in runtime_env.VARIABLES}
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(
        command, env={**environment, **variables}, capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()


def test_environment_is_prepared_and_the_user_is_heard() -> None:
    script = (
        "import os, sys\nfrom paddle_umsft.machine.environment import default_threads, prepare_environment\n"
        "print(prepare_environment(), os.environ['OMP_NUM_THREADS'] == str(default_threads()), 'paddle' in sys.modules)"
    )
    assert _run(script) == "True True False"
    assert _run(script.replace("str(default_threads())", "'77'"), OMP_NUM_THREADS="77") == "True True False"


def test_coming_too_late_is_said() -> None:
    script = (
        "import paddle\nfrom paddle_umsft.machine import environment as runtime_env\n"
        "print(runtime_env.prepare_environment(), 'set_threads' in runtime_env.thread_facts() "
        "or runtime_env.default_threads() == 1)"
    )
    assert _run(script) == "False True"
    assert "physical core" in runtime_env.thread_facts()

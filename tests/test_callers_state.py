"""Fusing leaves the caller's process as it was: modes, random numbers, threads; and odd arguments are a line."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import paddle
import pytest
from programs import ROOT

from paddle_umsft import fuse
from paddle_umsft.errors import ConfigError, DataError, UmsftError

# Of images of noise and two steps nothing good can come, which `fuse` says; here it is about all else.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SMALL = ["warm_up.iterations=1", "solver.iterations=2", "network.width=4", "network.skip=2"]
RNG = np.random.RandomState(0)
LR_HSI, HR_MSI = RNG.rand(16, 17, 4).astype(np.float32), RNG.rand(128, 136, 2).astype(np.float32)


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return fuse(LR_HSI, HR_MSI, overrides=SMALL).fused


def test_learns_without_gradients_around_it(plain: np.ndarray) -> None:
    with paddle.no_grad():
        inside = fuse(LR_HSI, HR_MSI, overrides=SMALL).fused
        assert not paddle.is_grad_enabled()
    assert np.array_equal(inside, plain)


def test_random_numbers_of_the_caller_go_on(plain: np.ndarray) -> None:
    def drawn() -> tuple[float, float, float]:
        return float(np.random.rand()), random.random(), float(paddle.rand([1]).numpy()[0])

    paddle.seed(5)
    np.random.seed(5)
    random.seed(5)
    expected = [drawn(), drawn()]
    paddle.seed(5)
    np.random.seed(5)
    random.seed(5)
    first = drawn()
    assert np.array_equal(fuse(LR_HSI, HR_MSI, overrides=SMALL).fused, plain)
    assert [first, drawn()] == expected


def test_threads_get_the_same_bits_one_after_the_other(plain: np.ndarray) -> None:
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(fuse(LR_HSI, HR_MSI, overrides=SMALL).fused)
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for fused in found:
        assert isinstance(fused, np.ndarray), fused
        assert np.array_equal(fused, plain)


def test_static_mode_is_refused() -> None:
    paddle.enable_static()
    try:
        with pytest.raises(ConfigError, match="static mode"):
            fuse(LR_HSI, HR_MSI, overrides=SMALL)
    finally:
        paddle.disable_static()


@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_what_float32_cannot_hold_is_refused(factor: float) -> None:
    with pytest.raises(DataError, match="float32"):
        fuse(LR_HSI.astype(np.float64) * factor, HR_MSI, method="bicubic")


@pytest.mark.parametrize("overrides", [[1], 5, "solver.iterations=1", b"x", {"a": 1}.values()])
def test_overrides_that_are_none(overrides: Any) -> None:
    with pytest.raises(ConfigError, match="no list of overrides"):
        fuse(LR_HSI, HR_MSI, method="bicubic", overrides=overrides)


def test_no_overrides_are_none() -> None:
    assert fuse(LR_HSI, HR_MSI, method="bicubic", overrides=None).fused.shape == (128, 136, 4)


def test_odd_cameras_are_one_line() -> None:
    with pytest.raises(UmsftError, match="band centres"):
        fuse(LR_HSI, HR_MSI, method="bicubic", wavelengths_nm=np.array([400, 500, 600, 700j]))
    with pytest.raises(UmsftError, match="SRF, expected at most"):
        fuse(LR_HSI, HR_MSI, method="gsa", srf=np.full((2, 4), 1e300))


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "PADDLE_TRAINER_ID"])
def test_variables_that_end_a_process_are_one_line(name: str) -> None:
    value = {"PADDLE_TRAINER_ID": "x"}.get(name, "999999")
    code = "from paddle_umsft.errors import UmsftError\ntry:\n    from paddle_umsft.runs.run import share_of_work\n"
    code += "    share_of_work()\n    from paddle_umsft.machine.environment import check_thread_variables\n"
    code += "    check_thread_variables()\nexcept UmsftError as error:\n    print(error)\n"
    environment = {**os.environ, name: value, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert name in done.stdout
    assert done.stdout.count("\n") == 1

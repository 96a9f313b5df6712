"""Fusing leaves the caller's process as it was: modes, random numbers, threads; and odd arguments are a line."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import threading
import warnings
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
SMALL_UHNTC = [
    *["uhntc.warm_up.iterations=1", "uhntc.warm_up.joint_iterations=1", "uhntc.warm_up.rank=3", "uhntc.iterations=1"],
]
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
            fuse(LR_HSI, HR_MSI, method="umsft", overrides=SMALL)
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


@pytest.mark.parametrize("method", ["gsa", "sfim", "cnmf", "subspace"])
@pytest.mark.parametrize("brightness", [1.0, 1e4])
def test_an_object_that_moved_between_the_images_overflows_nothing(method: str, brightness: float) -> None:
    """All warnings but verdicts are errors here: the sums of squares of what does not fit must hold it."""
    seen, sharp = np.full((64, 72, 4), 0.3), np.full((64, 72, 4), 0.3)
    seen += 0.1 * np.random.RandomState(1).rand(8, 9, 4).repeat(8, 0).repeat(8, 1)
    sharp[:] = seen
    seen[8:24, 8:24] = brightness * np.linspace(1, 0.2, 4)
    sharp[40:56, 32:48] = brightness * np.linspace(1, 0.2, 4)
    low = seen.reshape(8, 8, 9, 8, 4).mean(axis=(1, 3)).astype(np.float32)
    high = (sharp @ np.array([[0.7, 0.3, 0, 0], [0, 0, 0.4, 0.6]]).T).astype(np.float32)
    assert np.isfinite(fuse(low, high, method=method).fused).all()


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


# Every method, small: what children of a process that has fused already, and four threads of it, come to.
QUICK = {"gsa": [], "subspace": [], "cnmf": [], "ensemble": [], "umsft": SMALL, "uhntc": SMALL_UHNTC}


def fused_with(method: str) -> tuple[bytes, tuple[str, ...]]:
    result = fuse(LR_HSI, HR_MSI, method=method, overrides=QUICK[method])
    return result.fused.tobytes(), result.notes


def put_fused(queue: Any, method: str) -> None:
    warnings.simplefilter("ignore")
    queue.put(fused_with(method))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("method", QUICK)
def test_threads_and_children_give_the_same_bits_or_say_that_they_cannot(method: str) -> None:
    expected, _ = fused_with(method)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(fused_with(method)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bits == expected for bits in found] == [True] * 4
    for kind in ("fork", "spawn"):
        context = multiprocessing.get_context(kind)
        queue = context.Queue()
        children = [context.Process(target=put_fused, args=(queue, method)) for _ in range(2)]
        for child in children:
            child.start()
        answers = [queue.get(timeout=120) for _ in children]
        for child in children:
            child.join(30)
        for bits, notes in answers:
            said = any("in a forked process" in note for note in notes)
            assert bits == expected or (kind == "fork" and said), kind


def test_a_fit_that_leaves_much_behind_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from paddle_umsft.methods.networks import callers_state

    given = []
    monkeypatch.setattr(callers_state, "give_back", lambda: given.append(True))
    for grown, times in [(callers_state.LEFT_BEHIND, 0), (callers_state.LEFT_BEHIND + 1, 1)]:
        seen = iter([1000, 1000 + grown])
        monkeypatch.setattr(callers_state, "resident_bytes", lambda seen=seen: next(seen))
        with callers_state.callers_state_kept():
            pass
        assert len(given) == times

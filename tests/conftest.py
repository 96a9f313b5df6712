"""What holds for every test: where everything is installed, nothing is skipped but for a reason that is listed here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

# Set by .ci/run where everything that tests want was installed: then a skipped test is a failure.
NO_SKIPS = "PADDLE_UMSFT_NO_SKIPS"
# What no installing mends, by the beginning of the reason that the test gives.
ALLOWED = (
    "a GPU build of Paddle",
    "no fast path here",  # a processor without AVX2, or a Paddle without oneDNN's library
    "there it does something",  # mixed precision on a GPU
)

# The checkout need not be installed: programs that tests start find the package as tests do.
_ROOT = str(Path(__file__).resolve().parents[1])
_known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
if _ROOT not in _known:
    os.environ["PYTHONPATH"] = os.pathsep.join([_ROOT, *filter(None, _known)])

# One thread each for workers side by side: two that fight over the cores are slower than one. Read by OpenMP and
# OpenBLAS when they are loaded, which no plugin does before this file is read.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_skipped: list[str] = []


def pytest_runtest_logreport(report: Any) -> None:
    """Note what was skipped, and why."""
    _note(report)


def pytest_collectreport(report: Any) -> None:
    """Note files that were skipped whole."""
    _note(report)


def _note(report: Any) -> None:
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return
    reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    if not reason.startswith(ALLOWED):
        _skipped.append(f"{report.nodeid}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    """Fail a session in which a test that could run was skipped."""
    if _skipped and os.environ.get(NO_SKIPS) and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name them."""
    if _skipped and os.environ.get(NO_SKIPS):
        terminalreporter.section("skipped, though everything is installed", red=True)
        for line in _skipped:
            terminalreporter.line(line)

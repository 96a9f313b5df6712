"""The environment that Paddle reads when it is loaded: threads and MKL's code path.

Call `prepare_environment()` before the first `import paddle`. Paddle sets OMP_NUM_THREADS=1 at import unless the
variable is there, and its MKL takes a slow code path on AMD processors unless it is told otherwise. Nothing that
the user has set is overridden. This module itself imports neither Paddle nor NumPy.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.numbers import whole_number
from paddle_umsft.machine.paddle_build import both_packages, check_paddle_is_there, not_loaded

# OpenMP makes as many threads as it is told to, and ends the process where the system has no more.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
MOST_THREADS = 1024
HOME = "HOME"
# Folder in the home that Paddle makes.
PADDLE_CACHE = Path("~/.cache/paddle")
CPUINFO = Path("/proc/cpuinfo")
CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_prepared = False  # whether the environment was set before Paddle was loaded
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MKL_DEBUG_CPU_TYPE")
# Values of MKL_DEBUG_CPU_TYPE: the code paths that MKL takes on Intel's processors with these instructions.
MKL_AVX2 = "5"
MKL_AVX512 = "7"
# What Linux calls the instructions for bf16: products of tiles (Intel), and of pairs of numbers (Intel and AMD).
BF16_FLAGS = ("amx_bf16", "avx512_bf16")


def _text_of(path: Path) -> str:
    """Return what a file of the system says; nothing where there is no such file (outside Linux)."""
    if not path.is_file():
        return ""
    return path.read_text()


def physical_cores(cpuinfo: str | None = None) -> int:
    """Physical cores this process may run on; logical ones where the system does not tell.

    Args:
        cpuinfo: Text of /proc/cpuinfo, read from there by default.
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = set(os.sched_getaffinity(0))
    else:
        allowed = set(range(os.cpu_count() or 1))
    if cpuinfo is None:
        cpuinfo = _text_of(CPUINFO)
    cores = set()
    for block in cpuinfo.split("\n\n"):
        fields = _fields(block)
        processor = fields.get("processor")
        if processor is None or int(processor) not in allowed:
            continue
        # Logical processors that share a core have its number, and that of its socket.
        socket = fields.get("physical id", "0")
        core = fields.get("core id", processor)
        cores.add((socket, core))
    return len(cores) or len(allowed)


def cgroup_cores(root: Path = CGROUPS, membership: str | None = None) -> int | None:
    """Whole processors' worth of time that the container may use, at least 1; None where there is no limit.

    Args:
        root: Where the control groups are mounted.
        membership: Text of /proc/self/cgroup, read from there by default.
    """
    if membership is None:
        membership = _text_of(MEMBERSHIP)
    limits = []
    for line in membership.splitlines():
        for group in _groups(root, line):
            limit = _cpu_limit(group)
            if limit is not None:
                limits.append(limit)
    if not limits:
        return None
    return max(1, int(min(limits)))


def _groups(root: Path, line: str) -> list[Path]:
    """Folders of the groups that one line of /proc/self/cgroup says may limit this process's time."""
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    # Version 2 has one tree for everything, and names no controllers.
    base = root
    if controllers:
        if "cpu" not in controllers.split(","):
            return []
        base = root / controllers
    # The limit of any group above counts as well. A container may see its own group at the root instead.
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return [base.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]


def _cpu_limit(group: Path) -> float | None:
    """Processors that one group may use: cpu.max (version 2) or cpu.cfs_quota_us (version 1)."""
    second_version = group / "cpu.max"
    try:
        if second_version.is_file():
            quota, period = second_version.read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        # "max", which is no number, and -1 mean no limit.
        if float(quota) <= 0:
            return None
        return float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def default_threads() -> int:
    """Threads for this process: physical cores, no more than the container may use, shared among launched processes."""
    cores = physical_cores()
    limit = cgroup_cores()
    if limit is not None:
        cores = min(cores, limit)
    # From paddle.distributed.launch: processes on this machine.
    together = whole_number(os.environ.get("PADDLE_LOCAL_SIZE", ""))
    if together is not None and together > 0:
        cores = cores // together
    return max(1, cores)


def has_bf16_instructions(cpuinfo: str | None = None) -> bool:
    """Whether the first processor says that it multiplies bf16 numbers; False where the system does not tell.

    Args:
        cpuinfo: Text of /proc/cpuinfo, read from there by default.
    """
    if cpuinfo is None:
        cpuinfo = _text_of(CPUINFO)
    first, *_ = cpuinfo.split("\n\n")
    flags = _fields(first).get("flags", "").split()
    return any(name in flags for name in BF16_FLAGS)


def mkl_code_path(cpuinfo: str | None = None) -> str | None:
    """Value for MKL_DEBUG_CPU_TYPE: 7 on AMD with AVX-512, 5 on AMD with AVX2, None elsewhere.

    Args:
        cpuinfo: Text of /proc/cpuinfo, read from there by default.
    """
    if cpuinfo is None:
        cpuinfo = _text_of(CPUINFO)
    first, *_ = cpuinfo.split("\n\n")
    fields = _fields(first)
    if fields.get("vendor_id") != "AuthenticAMD":
        return None
    flags = fields.get("flags", "").split()
    if "avx512f" in flags:
        return MKL_AVX512
    if "avx2" in flags:
        return MKL_AVX2
    return None


def prepare_environment(threads: int | None = None) -> bool:
    """Set what Paddle reads at import, unless the user has set it.

    Args:
        threads: Threads wanted; `default_threads` by default.

    Returns:
        False if Paddle is loaded already, so that nothing was set (see `thread_facts` for the way out).
    """
    global _prepared
    if "paddle" in sys.modules:
        return False
    _prepared = True
    os.environ.setdefault("OMP_NUM_THREADS", str(threads or default_threads()))
    code_path = mkl_code_path()
    if code_path is not None:
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", code_path)
    return True


def check_thread_variables() -> None:
    """Check the numbers of threads that the user has set: far too many end the process within C.

    Raises:
        ConfigError: One is no number of threads.
    """
    for name in THREAD_VARIABLES:
        # A number for each level of nesting; an empty variable is none.
        for count in os.environ.get(name, "").split(","):
            if not count:
                continue
            number = whole_number(count)
            if number is None or number > MOST_THREADS:
                expected = f"at most {MOST_THREADS}"
                raise ConfigError("number of threads", where=name, expected=expected, got=repr(count))


def import_paddle() -> None:
    """Import Paddle without its advice on OMP_NUM_THREADS and on a compiler cache, which nobody asked for.

    Two builds of it in one folder are said where they can be loaded all the same: what they compute is not known.

    Raises:
        ConfigError: Paddle is not installed or cannot be loaded, or a thread variable would end the process.
    """
    check_thread_variables()
    comes_now = "paddle" not in sys.modules
    if comes_now:
        check_paddle_is_there()
    prepare_environment()
    said = io.StringIO()
    quiet = contextlib.redirect_stderr(said)
    with _home_that_takes_files(), _end_of_the_caller_kept(), quiet, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No ccache found")
        try:
            import_module("paddle")
        # Paddle also reads variables of a launch while it is imported, and raises whatever it meets there.
        except Exception as error:
            raise not_loaded(error) from error
    doubt = both_packages()
    if comes_now and doubt is not None:
        print(f"warning: {doubt}", file=sys.stderr)
    for line in said.getvalue().splitlines():
        if "OMP_NUM_THREADS" not in line:
            print(line, file=sys.stderr)


@contextlib.contextmanager
def _home_that_takes_files() -> Iterator[None]:
    """Give Paddle, which makes folders while it is imported, another home where the user's own takes none."""
    before = os.environ.get(HOME)
    try:
        PADDLE_CACHE.expanduser().mkdir(parents=True, exist_ok=True)
    # No such user, a disk that is full or read-only, a home that is no folder.
    except (OSError, RuntimeError):
        with contextlib.suppress(OSError):
            instead = tempfile.mkdtemp(prefix="paddle_umsft_home_")
            atexit.register(shutil.rmtree, instead, ignore_errors=True)
            os.environ[HOME] = instead
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(HOME, None)
        else:
            os.environ[HOME] = before


@contextlib.contextmanager
def _end_of_the_caller_kept() -> Iterator[None]:
    """Keep what SIGTERM does in this process: Paddle puts a report of its own in its place when it is imported."""
    # Signals are the main thread's.
    if "paddle" in sys.modules or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        # Of a handler that is not Python's, Python does not know which it is.
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def thread_facts() -> str:
    """A line for the log: the variables in force, and what to do where they came too late."""
    set_ones = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    variables = ", ".join(set_ones) or "no thread variables set"
    cores = f"{physical_cores()} physical core(s)"
    limit = cgroup_cores()
    if limit is not None:
        cores += f", limited to {limit}"
    text = f"{cores}; {variables}"
    came_first = "paddle" in sys.modules and not _prepared
    idle = os.environ.get("OMP_NUM_THREADS") == "1" and default_threads() > 1
    if idle and "PADDLE_LOCAL_SIZE" in os.environ:
        text += (
            "; one thread, as paddle.distributed.launch sets it: "
            f"OMP_NUM_THREADS={default_threads()} before the launch uses the cores"
        )
    elif idle and came_first:
        text += (
            "; Paddle runs on one thread, its own default where it is imported first: set OMP_NUM_THREADS before, "
            "import paddle_umsft.machine.environment and call prepare_environment() before paddle, or call "
            "paddle_umsft.methods.networks.ops.set_threads(n) now"
        )
    return text


def _fields(block: str) -> dict[str, str]:
    """Return the lines "key : value" of one processor by their keys."""
    fields = {}
    for line in block.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields[key.strip()] = value.strip()
    return fields

"""Which Paddle is installed, and whether it fits this machine: told apart before anything is computed with it.

Asks the installed packages and the system, and imports no Paddle: where it is broken, it must still be named.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.errors import ConfigError

# The builds for CPUs and for GPUs: two packages, which unpack into one folder.
CPU_PACKAGE = "paddlepaddle"
GPU_PACKAGE = "paddlepaddle-gpu"
# Where the driver tells of each GPU, and what it has for every one of them.
DRIVER = Path("/proc/driver/nvidia/gpus")
DEVICES = Path("/dev")
MODEL_FIELD = "Model"
WHICH_FILE = "requirements-cpu.txt without a GPU, requirements-gpu.txt with one"
INSTALL_HINT = (
    "install first: python tools/aistudio.py on AI Studio, after a restart too; "
    f"pip install -r requirements.txt where Paddle is there already; {WHICH_FILE}"
)
DO_WITHOUT = "-c fast.yml and -c best.yml do without"


def paddle_packages() -> dict[str, str]:
    """Return the packages of Paddle that are installed, with their versions; a build of one's own may be in none."""
    found = {}
    for package in (CPU_PACKAGE, GPU_PACKAGE):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def packages_line(packages: Optional[Mapping[str, str]] = None) -> str:
    """Return what is installed in words: "paddlepaddle 3.3.1"."""
    if packages is None:
        packages = paddle_packages()
    named = [f"{name} {number}" for name, number in packages.items()]
    return " and ".join(named) or "a Paddle of no package"


def check_paddle_is_there() -> None:
    """Check that there is a Paddle at all, without importing it.

    Raises:
        ConfigError: There is none.
    """
    if find_spec("paddle") is None:
        raise ConfigError(
            "PaddlePaddle is not installed, and this needs it",
            where="paddle",
            hint=f"pip install -r: {WHICH_FILE}; {DO_WITHOUT}",
        )


def both_packages(packages: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """Return what to say where both builds are installed, so that files of one lie over the other's; else None."""
    if packages is None:
        packages = paddle_packages()
    if CPU_PACKAGE not in packages or GPU_PACKAGE not in packages:
        return None
    return (
        f"{packages_line(packages)} are both installed, in one and the same folder: files of one lie over the other's; "
        f"pip uninstall {CPU_PACKAGE} {GPU_PACKAGE}, then install one of them"
    )


def not_loaded(error: Exception) -> ConfigError:
    """Return the error for a Paddle that is there and cannot be imported, with what is there."""
    hint = both_packages()
    if hint is None:
        hint = f"install it anew; {DO_WITHOUT}"
    return ConfigError(
        f"{packages_line()} cannot be imported",
        where="paddle",
        got=f"{type(error).__name__}: {error}",
        hint=hint,
    )


def gpus_of_machine(driver: Path = DRIVER, devices: Path = DEVICES) -> list[str]:
    """Return the models of the NVIDIA GPUs that the system knows, whether Paddle can use them or not.

    Args:
        driver: Where the driver tells of them.
        devices: Where it has a file for each; all that a container may see.
    """
    models = []
    for file in sorted(driver.glob("*/information")):
        models.append(_model(file))
    if models:
        return models
    return ["an NVIDIA GPU" for _ in devices.glob("nvidia[0-9]*")]


def _model(file: Path) -> str:
    """Return the model that the driver's file names."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        field, _, value = line.partition(":")
        if field.strip() == MODEL_FIELD:
            return value.strip()
    return "an NVIDIA GPU"


def cpu_build_on_gpu_machine(is_gpu_build: bool, gpus: Optional[list[str]] = None) -> Optional[str]:
    """Return what to say where a GPU lies idle because Paddle is a build for CPUs; else None.

    Args:
        is_gpu_build: Whether Paddle was compiled with CUDA.
        gpus: Those of the machine; None: asked for here.
    """
    if gpus is None:
        gpus = gpus_of_machine()
    if is_gpu_build or not gpus:
        return None
    return (
        f"this machine has {', '.join(gpus)}, but {packages_line()} is a build for CPUs, which leaves it idle: "
        f"pip uninstall {CPU_PACKAGE}, then pip install -r requirements-gpu.txt"
    )


def no_code_for_gpu(
    paddle_version: Any,
    capability: tuple[int, int],
    gpu: str,
) -> Optional[str]:
    """Return what to say where a GPU build has no code for the GPU that is there; else None.

    Args:
        paddle_version: The module `paddle.version`; 2.6 and earlier do not say what they were compiled for.
        capability: The GPU's compute capability, (8, 9) for instance.
        gpu: Its name.
    """
    listed = getattr(paddle_version, "cuda_archs", None)
    if not callable(listed):
        return None
    compiled = sorted({int(arch) for arch in listed()})
    major, minor = capability
    # Code for 8.0 runs on 8.6 and 8.9 too; none runs on another major number.
    if not compiled or any(arch // 10 == major and arch % 10 <= minor for arch in compiled):
        return None
    return (
        f"{packages_line()} has no code for {gpu} (compute capability {major}.{minor}), only for "
        f"{', '.join(f'{arch / 10:.1f}' for arch in compiled)}: take a build for a newer CUDA (requirements-gpu.txt)"
    )

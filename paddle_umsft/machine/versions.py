"""What a result was made with. Asks the installed packages for their versions without importing them."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = {
    "paddle": ("paddlepaddle", "paddlepaddle-gpu"),
    "numpy": ("numpy",),
    "scipy": ("scipy",),
}


def versions() -> dict[str, str]:
    """Versions worth keeping with a result: this package, Paddle, numpy, scipy, Python, and the machine's kind."""
    from paddle_umsft import __version__

    found = {"paddle_umsft": __version__}
    for name, packages in _PACKAGES.items():
        for package in packages:
            try:
                found[name] = version(package)
                break
            except PackageNotFoundError:
                found[name] = "not installed"
    return {**found, "python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}

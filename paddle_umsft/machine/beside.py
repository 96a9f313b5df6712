"""Make a checkout usable where much is installed already: only what is missing comes, and nothing there is replaced.

For AI Studio and for notebooks. Imports Python's own library only: nothing else need be there yet.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import site
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Optional

from paddle_umsft.errors import ConfigError

# Where an AI Studio project lives; the variable is for another home, and for trying it out.
HOME = Path("/home/aistudio")
HOME_VARIABLE = "AISTUDIO_HOME"
# Of a project's folders, the one that AI Studio keeps for packages; what is ours stays apart in it.
LIBRARIES = Path("external-libraries") / "for_paddle_umsft"
PATH_FILE = "paddle_umsft_beside.pth"
REQUIREMENTS = "requirements.txt"
# Name and least version of a line of a requirements file.
REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)")
# Versions that pip takes in a constraint: some that vendors build have others.
PLAIN_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!-]*")


@dataclass(frozen=True)
class Needed:
    """What a checkout asks for and this Python has not.

    Attributes:
        missing: Requirements of which nothing is there.
        too_old: Packages that are there and older than asked for: "numpy 1.19 (1.23 is wanted)".
    """

    missing: tuple[str, ...]
    too_old: tuple[str, ...]


def ai_studio_home() -> Optional[Path]:
    """Return the folder of the AI Studio project that this runs in; None anywhere else."""
    home = Path(os.environ.get(HOME_VARIABLE, HOME))
    if home.is_dir():
        return home
    return None


def libraries_of(home: Optional[Path]) -> Optional[Path]:
    """Return where packages lie in an AI Studio project so that they are there after a restart; None: no such place."""
    if home is None:
        return None
    return home / LIBRARIES


def needed(requirements: Path) -> Needed:
    """Return what a requirements file asks for and this Python has not.

    Args:
        requirements: Lines `name>=version`.
    """
    missing = []
    too_old = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        found = REQUIREMENT.match(line)
        if found is None:
            continue
        name, least = found.groups()
        try:
            there = version(name)
        except PackageNotFoundError:
            missing.append(f"{name}>={least}")
            continue
        if _numbers(there) < _numbers(least):
            too_old.append(f"{name} {there} ({least} is wanted)")
    return Needed(tuple(missing), tuple(too_old))


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: (2, 6, 1) of 2.6.1.post120."""
    numbers = []
    for part in text.split("."):
        digits = re.match(r"\d+", part)
        if digits is None:
            break
        numbers.append(int(digits[0]))
    return tuple(numbers)


def install_missing(missing: Sequence[str], libraries: Optional[Path]) -> list[str]:
    """Install packages, and what they in turn have not; nothing that is there is replaced.

    Args:
        missing: Requirements.
        libraries: Folder to install them to; None: this Python's own.

    Returns:
        What was installed, `name==version`.

    Raises:
        ConfigError: pip cannot find versions that go with what is there, or cannot be run.
    """
    if not missing:
        return []
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) / "kept.txt"
        kept.write_text("\n".join(_installed()), encoding="utf-8")
        report = Path(scratch) / "report.json"
        # First only planned: beside the versions that are there, and with what they bring.
        _pip("install", "--dry-run", "--report", str(report), "-c", str(kept), *missing)
        planned = json.loads(report.read_text(encoding="utf-8"))["install"]
    pins = [f"{item['metadata']['name']}=={item['metadata']['version']}" for item in planned]
    target: list[str] = []
    if libraries is not None:
        libraries.mkdir(parents=True, exist_ok=True)
        # What an installation that was broken off has left there is written anew.
        target = ["--target", str(libraries), "--upgrade"]
    # The plan is whole: no package may bring another one along.
    _pip("install", "--no-deps", *target, *pins)
    return pins


def _installed() -> list[str]:
    """Return `name==version` of every package that is there."""
    pins: dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name and PLAIN_VERSION.fullmatch(distribution.version or ""):
            # Of several on the path, the first is the one that is imported.
            pins.setdefault(_normal(name), f"{name}=={distribution.version}")
    return sorted(pins.values())


def _normal(name: str) -> str:
    """Return a package's name as all ways of writing it have it.

    References:
        PEP 503, Normalized Names.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip(*arguments: str) -> None:
    """Run pip, quietly.

    Raises:
        ConfigError: It fails; its last line says why.
    """
    # pip's own cache may be where nothing can be written, and its advice on newer versions is not wanted here.
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    said = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("ERROR")] or said
    raise ConfigError("pip failed", where=f"pip {arguments[0]}", got=" ".join(errors[-2:]) or done.returncode)


def make_known(libraries: Optional[Path], checkout: Path) -> str:
    """Put a checkout and its packages on the path of this Python: here, in every terminal, and after a restart.

    Args:
        libraries: Folder of packages; None: they are in this Python's own.
        checkout: Left out where the package is installed.

    Returns:
        What was done, in words: the path file, or what to do where none could be written.
    """
    folders = []
    if libraries is not None:
        folders.append(libraries)
    if not _is_installed():
        folders.append(checkout)
    if not folders:
        return "the package is installed"
    # Behind what is there already: nothing is overruled.
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    importlib.invalidate_caches()
    for place in _site_folders():
        try:
            place.mkdir(parents=True, exist_ok=True)
            file = place / PATH_FILE
            file.write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")
        except OSError:
            continue
        return str(file)
    return f"no folder can be written to; in a terminal: export PYTHONPATH={':'.join(map(str, folders))}"


def _is_installed() -> bool:
    """Return whether the package is installed, by pip or as what a checkout is linked to."""
    try:
        version("paddle_umsft")
    except PackageNotFoundError:
        return False
    return True


def _site_folders() -> list[Path]:
    """Return where a path file is read from: the user's own folder, unless this Python does not look there."""
    folders = [Path(sysconfig.get_paths()["purelib"])]
    if site.ENABLE_USER_SITE:
        folders.insert(0, Path(site.getusersitepackages()))
    return folders

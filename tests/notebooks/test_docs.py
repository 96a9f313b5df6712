"""What README, docs and CONTRIBUTING name is there: files, links, configurations, keys, options, methods."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from paddle_umsft.config.files import find_config
from paddle_umsft.config.load import load_config
from paddle_umsft.errors import ConfigError
from paddle_umsft.methods.table import METHODS

ROOT = Path(__file__).resolve().parents[2]
# CHANGELOG.md names what was.
EVERY = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/tasks/*.md")]
PAGES = sorted(path for path in EVERY if path.name != "CHANGELOG.md")
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
# Paths are told from the checkout or from the package; names of files alone from where the sentence has led.
BASES = (ROOT, ROOT / "paddle_umsft", ROOT / "paddle_umsft" / "methods" / "subspace")
SOURCE_FILE = re.compile(r"`((?:[\w.]+/)*\w+\.(?:py|ipynb|cff)|(?:\w+/)+(?:\w+\.\w+)?)`")
PRESET = re.compile(r"`(\w+\.yml)`")
COMMAND = re.compile(r"python (?P<program>(?:tools|benchmarks)/\w+\.py)(?P<rest>[^`\n]*)")
OVERRIDE = re.compile(r"[a-z_]+(?:\.[a-z_]+)*=.")
# Where results and the built site go, and names inside weight files.
NOT_OURS = ("output/", "strips/", "build/docs/", "iter_N/", "published_only/", "extra/")


def commands(path: Path) -> list[tuple[str, list[str]]]:
    """Program and words of every command of ours on a page; a backslash joins lines."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for match in COMMAND.finditer(text):
        rest = match["rest"].replace("…", "").split(" # ")[0]
        found.append((match["program"], shlex.split(rest, comments=True)))
    return found


def complaint(override: str) -> str:
    """What a configuration says against an override."""
    try:
        load_config(overrides=[override])
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_files_and_links_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    lost = [link for link in links if not (path.parent / link).exists()]
    for name in SOURCE_FILE.findall(text):
        is_there = any((base / name).exists() for base in BASES)
        if not is_there and not name.startswith(NOT_OURS):
            lost.append(name)
    assert lost == []
    for name in PRESET.findall(text):
        assert name == "config.yml" or find_config(name).is_file()  # a run's own configuration has that name


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_configurations_and_keys_are_known(path: Path) -> None:
    for program, words in commands(path):
        for before, word in zip(["", *words], words):
            if before == "-c" and word != "FILE":
                assert find_config(word).is_file()
            if OVERRIDE.match(word):
                assert "unknown key" not in complaint(word), program  # a value may be a placeholder
    for word in re.findall(r"`([a-z_]+\.[a-z_.]+=[^` ]+)`", path.read_text(encoding="utf-8")):
        assert complaint(word) == ""


def test_options_are_known() -> None:
    asked: dict[str, set[str]] = {}
    for path in PAGES:
        for program, words in commands(path):
            asked.setdefault(program, set()).update(word for word in words if re.match(r"--[a-z]", word))
    assert {"tools/train.py", "tools/eval.py", "tools/convert_weights.py", "benchmarks/quality.py"} <= set(asked)
    for program, options in asked.items():
        command = [sys.executable, str(ROOT / program), "--help"]
        known = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        assert options <= set(re.findall(r"--[a-z-]+", known)), program


@pytest.mark.parametrize("name", ["README.md", "README_CN.md"])
def test_both_readmes_name_every_method_and_the_first_commands(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [method for method in METHODS if f"`{method}`" not in text] == []
    lines = text.splitlines()
    assert "pip install -r requirements-cpu.txt && python tools/train.py -c demo.yml" in lines
    assert "pip install -r requirements-dev.txt && python -m pytest -n auto" in lines

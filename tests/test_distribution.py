"""What is installed by which file, and what the wheel says of itself."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import paddle_umsft

ROOT = Path(__file__).resolve().parents[1]
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def lines_of(name: str) -> list[str]:
    """What a requirements file asks for, without comments."""
    bare = [line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return [line for line in bare if line]


def project() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def listed(key: str) -> list[str]:
    """A list of texts of pyproject.toml; Python 3.9 and 3.10 have no reader of TOML."""
    match = re.search(rf"^{key} = (\[.*?\n?\])(?:\s+#.*)?$", project(), re.MULTILINE | re.DOTALL)
    assert match is not None
    return list(ast.literal_eval(match[1]))


def test_requirements_leave_paddle_alone() -> None:
    assert not [line for line in lines_of("requirements.txt") if "paddlepaddle" in line]
    assert "# paddlepaddle-gpu>=" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert lines_of("requirements-cpu.txt")[0].startswith("paddlepaddle>=")
    assert lines_of("requirements-gpu.txt")[0].startswith("paddlepaddle-gpu>=")
    assert "-r requirements-cpu.txt" in lines_of("requirements-dev.txt")
    for name in ("requirements-cpu.txt", "requirements-gpu.txt"):
        assert "-r requirements.txt" in lines_of(name)


@pytest.mark.parametrize("name", [path.name for path in ROOT.glob("requirements*.txt")])
def test_requirements_can_be_installed_from_any_folder(name: str) -> None:
    """pip looks for other requirements files beside this one, and for folders where it is called: there is none."""
    for line in lines_of(name):
        if line.startswith("-"):
            option, file = line.split()
            assert option == "-r"
            assert (ROOT / file).is_file()
        else:
            assert re.fullmatch(r"[A-Za-z0-9_-]+(\[\w,]+\])?[<>=]=?[0-9.]+(; .*)?", line), line


@pytest.mark.parametrize("program", sorted(path.name for path in (ROOT / "tools").glob("*.py")))
def test_programs_find_the_package_in_the_checkout(program: str, tmp_path: Path) -> None:
    """Called from anywhere, without PYTHONPATH: the checkout is not installed by any requirements file."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(ROOT / "tools" / program), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout


def test_requirements_are_those_of_the_package() -> None:
    """Named once more because a requirements file cannot name the folder that it lies in."""
    of_package = listed("dependencies") + listed("demo") + listed("visualdl")
    assert sorted(lines_of("requirements.txt")) == sorted(of_package)


def test_extras() -> None:
    assert [NAME.match(line)[0] for line in listed("demo")] == ["tensorly"]  # type: ignore[index]
    inside = re.search(r"\[(.*)\]", listed("all")[0])
    assert inside is not None
    assert set(inside[1].split(",")) == {"demo", "visualdl", "geo", "xarray"}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-cpu.txt", "requirements-gpu.txt"])
def test_nothing_wants_a_graphics_library(name: str) -> None:
    assert not [line for line in lines_of(name) if line.startswith("opencv")]
    assert not [line for line in listed("dependencies") if line.startswith("opencv")]


def test_the_package_imports_no_opencv() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "paddle_umsft").rglob("*.py")]
    assert not [text for text in sources if re.search(r"^\s*(import cv2|from cv2)", text, re.MULTILINE)]


def test_the_wheel_describes_itself() -> None:
    text = project()
    assert 'license = "MIT"' in text
    assert (ROOT / "paddle_umsft" / "py.typed").is_file()
    # A page on an index has no repository around it: nothing there may lead into one.
    page = (ROOT / "docs" / "wheel.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https://)", page) == []


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == paddle_umsft.__version__
    assert f"## {paddle_umsft.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_both_papers_are_cited_with_authors_and_doi() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert len(citation["references"]) == 2
    for paper in citation["references"]:
        assert paper["doi"].startswith("10.")
        assert len(paper["authors"]) == 5
        assert all(author["family-names"] for author in paper["authors"])

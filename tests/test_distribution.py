"""What is installed by which file, and what the wheel says of itself."""

from __future__ import annotations

import ast
import re
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
        assert {"-r requirements.txt", "-e ."} <= set(lines_of(name))


def test_requirements_are_those_of_the_package() -> None:
    """Named once more because `-e .` would be looked for where pip is called."""
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

"""The site has every page, name and picture; what needs Sphinx itself is built by .ci/run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import paddle_umsft

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "site"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/tasks/*.md")]
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]*)#([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LABELLED = re.compile(r"\[([^\]]*)\]\([^)]*\)")
UNNAMED = re.compile(r"[^\w\- ]")
ENTRY = re.compile(r"^\.\. auto(?:function|class|exception):: paddle_umsft\.(\w+)$", re.MULTILINE)
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
NAMED_PAGE = re.compile(r"\bdocs/[\w/-]+\.md")
# Files in which the program names a page, as a hint to its user.
SPEAKING = ("*.py", "*.ipynb", "*.yml", "*.html", "*.txt")
FOLDERS = ("paddle_umsft", "tools", "benchmarks", "notebooks", "configs")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    text = page.read_text(encoding="utf-8")
    return CODE.sub("", text)


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    text = prose(page)
    found: dict[str, int] = {}
    names = set()
    for heading in HEADING.findall(text):
        # Letters, digits, hyphens; a blank becomes a hyphen, whatever else stands there is gone.
        plain = LABELLED.sub(r"\1", heading).strip()
        name = UNNAMED.sub("", plain.lower())
        name = name.replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        if count > 0:
            name += f"-{count}"
        names.add(name)
    return names


def speaking_files() -> Iterator[Path]:
    """The files that may name a page to a user."""
    for folder in FOLDERS:
        for pattern in SPEAKING:
            yield from (ROOT / folder).rglob(pattern)


def test_every_page_has_its_place() -> None:
    contents = (SITE / "contents.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(?!:)([\w/-]+)$", contents, re.MULTILINE)
    there = {str(page.relative_to(ROOT).with_suffix("")) for page in PAGES}
    there.add("docs/site/api")
    # The first page holds the contents.
    there.remove("README")
    assert sorted(listed) == sorted(there)


def test_every_public_name_is_in_the_reference() -> None:
    reference = (SITE / "api.rst").read_text(encoding="utf-8")
    named = set(ENTRY.findall(reference))
    assert named == set(paddle_umsft.__all__) - {"__version__"}


@pytest.mark.parametrize("name", ["gallery.md", "gallery_CN.md"])
def test_every_picture_is_in_the_gallery(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    pictures = {f"images/{path.name}" for path in ROOT.glob("docs/images/*")}
    assert set(PICTURE.findall(text)) == pictures


def test_links_to_headings_lead_to_one() -> None:
    lost = []
    for page in PAGES:
        for target, anchor in LINK.findall(prose(page)):
            other = page
            if target:
                other = page.parent / target
            if anchor not in anchors(other):
                lost.append(f"{page.name}: {target}#{anchor}")
    assert lost == []


def test_pages_that_the_program_names_are_there() -> None:
    named: set[str] = set()
    for path in speaking_files():
        text = path.read_text(encoding="utf-8")
        named.update(NAMED_PAGE.findall(text))
    assert "docs/configuration.md" in named
    lost = [name for name in sorted(named) if not (ROOT / name).is_file()]
    assert lost == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/tasks/*.md")), ids=lambda page: page.name)
def test_a_task_begins_with_its_command(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert lines[1:3] == ["", "```"]


@pytest.mark.parametrize("suffix", ["", "_CN"])
def test_every_task_is_in_the_index(suffix: str) -> None:
    index = (ROOT / "docs" / f"README{suffix}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(tasks/([\w-]+)\.md\)", index))
    tasks = {page.stem for page in ROOT.glob("docs/tasks/*.md") if page.stem.endswith("_CN") == bool(suffix)}
    assert named == tasks

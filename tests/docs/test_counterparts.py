"""A Chinese page says what its English one says: the same headings, commands, table rows and figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*_CN.md"), *ROOT.glob("docs/*_CN.md"), *ROOT.glob("docs/tasks/*_CN.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
# A page that is shorter than its English one calls itself so near its top; its figures are the English page's still.
SUMMARY = "摘要"
TOP = 600
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) ", re.MULTILINE)
COMMENT = re.compile(r"\s*#.*")
LINK_TARGET = re.compile(r"\]\([^)]*\)")
FIGURE = re.compile(r"\d+(?:\.\d+)?")
# Up to here one language may have a word where the other has a digit.
LARGEST_WORD = 12
# Chinese counts large numbers by ten thousands: 500 million are 5 times 10^8.
COUNTED_OTHERWISE = {"formats_CN.md": {"500"}}
# README_CN.md begins with AI Studio: one more section, with the number of its data set.
REARRANGED = "README_CN.md"
ONLY_THERE = {"147509"}


def english(page: Path) -> Path:
    """The page that this one is a translation of."""
    return page.with_name(page.name.replace("_CN.md", ".md"))


def prose(page: Path) -> str:
    """A page without its code and without where its links lead."""
    text = page.read_text(encoding="utf-8")
    without_code = CODE.sub("", text)
    return LINK_TARGET.sub("]", without_code)


def levels(page: Path) -> list[int]:
    """The depth of each heading."""
    return [len(marks) for marks in HEADING.findall(prose(page))]


def commands(page: Path) -> list[str]:
    """The blocks of code, whose comments are in the language of the page."""
    text = page.read_text(encoding="utf-8")
    return [COMMENT.sub("", block) for block in CODE.findall(text)]


def rows(page: Path) -> int:
    """How many lines of tables there are."""
    return sum(line.startswith("|") for line in prose(page).splitlines())


def figures(page: Path) -> set[str]:
    """The numbers that have to be the same in both languages."""
    found = set(FIGURE.findall(prose(page)))
    return {text for text in found if "." in text or int(text) > LARGEST_WORD}


def is_whole(page: Path) -> bool:
    """Whether a page is a translation from its beginning to its end."""
    if page.name == REARRANGED:
        return False
    top = page.read_text(encoding="utf-8")[:TOP]
    return SUMMARY not in top


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_figure_of_its_own(page: Path) -> None:
    own = figures(page) - figures(english(page))
    if page.name == REARRANGED:
        own -= ONLY_THERE
    assert own == set()


WHOLE = [page for page in PAGES if is_whole(page)]


@pytest.mark.parametrize("page", WHOLE, ids=[page.name for page in WHOLE])
def test_a_translation_is_whole(page: Path) -> None:
    original = english(page)
    assert levels(page) == levels(original)
    assert commands(page) == commands(original)
    assert rows(page) == rows(original)
    counted_otherwise = COUNTED_OTHERWISE.get(page.name, set())
    lost = figures(original) - figures(page) - counted_otherwise
    assert lost == set()


def test_summaries_and_the_readme_are_told_apart() -> None:
    assert is_whole(ROOT / "CONTRIBUTING_CN.md")
    assert not is_whole(ROOT / REARRANGED)
    assert not is_whole(ROOT / "docs" / "trust_CN.md")

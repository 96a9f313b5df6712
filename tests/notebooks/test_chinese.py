"""What is written in Chinese: nothing of the English left out, one way of speaking to the reader, no mended phrase."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = sorted([*ROOT.glob("*_CN.md"), *ROOT.glob("docs/*_CN.md")])
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NUMBER = re.compile(r"\d+")
# What a reader of Chinese stumbled over, and what stands there now.
MENDED = {
    "同一随机种子": "从同一初始权重出发",
    "在其上再校正": "在 fast 结果上再做校正",
    "作者公开的 UMSFT 原样": "完全按作者公开代码",
    "盲求解器": "盲融合求解器",
    "核对到 1e": "误差不超过 1e",
    "能看到哪些高光谱波段": "覆盖哪些高光谱波段",
    "一个先被退化的场景": "一幅高分辨率高光谱场景，由程序先做退化仿真",
    "或向你询问": "无法判断时报错并提示如何指定",
    "没有任何结果在 GPU 上测得或运行过": "文中所有结果均未在 GPU 上测得",
}


def names(text: str) -> set[str]:
    """What stands in backticks; a command, or a line of Python, stands once for both."""
    return {name.replace("_CN.md", ".md") for name in text.split("`")[1::2] if not re.search(r"[\s()]", name)}


def texts(path: Path) -> list[str]:
    """The text cells of a notebook."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "markdown"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_the_chinese_names_what_the_english_names(path: Path) -> None:
    for text in texts(path):
        said = {"en": "", "zh": ""}
        for paragraph in re.split(r"\n\n+", text):
            if not paragraph.startswith(("#", "|", "```")):
                said["zh" if CHINESE.search(paragraph) else "en"] += f" {paragraph}"
        assert bool(said["en"]) == bool(said["zh"]), text
        assert names(said["en"]) <= names(said["zh"]), text
        bare = re.sub(r"`[^`]*`", "", said["en"])
        assert set(NUMBER.findall(bare)) <= set(NUMBER.findall(said["zh"])), text
        # A character says what four letters or so say; a text that tells the half is far below.
        assert len(CHINESE.findall(said["zh"])) >= len(bare) / 8, text


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.name)
def test_the_reader_is_spoken_to_in_one_way(path: Path) -> None:
    assert "您" not in path.read_text(encoding="utf-8")


def test_no_page_of_ours_says_it_as_before() -> None:
    for path in [*NOTEBOOKS, *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("paddle_umsft/runs/**/*.html")]:
        text = path.read_text(encoding="utf-8")
        assert [old for old in MENDED if old in text.replace("盲融合求解器", "")] == [], path.name

"""report.html in a real browser, opened from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("page", ["umsft/dead_leaves", "fast/dead_leaves", "umsft"])
def test_report_opens_from_the_disk(browser: Any, runs: Path, page: str) -> None:
    browser.get((runs / page / "report.html").as_uri())
    figures = "[...document.images].filter(image => !image.closest('.trio'))"  # the LR-HSI's own is as small as that
    widths = browser.execute_script(f"return {figures}.map(image => image.naturalWidth)")
    assert len(widths) >= (1 if page == "umsft" else 6)
    assert min(widths) > 100
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] not in ("INFO", "DEBUG")] == []
    text = browser.find_element("tag name", "body").text
    assert "PSNR (dB)" in text
    assert "author" in text


def test_link_to_the_scene_works(browser: Any, runs: Path) -> None:
    browser.get((runs / "umsft" / "report.html").as_uri())
    browser.find_element("css selector", "table a").click()
    assert browser.find_element("tag name", "h1").text == "dead_leaves"

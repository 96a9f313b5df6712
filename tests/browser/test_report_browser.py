"""report.html in a real browser, opened from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paddle_umsft.runs.several import read_runs, write_runs_report

pytestmark = pytest.mark.browser

PHONE = 390  # pixels


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


@pytest.mark.parametrize("page", ["umsft/dead_leaves", "fast/dead_leaves", "umsft", "both"])
def test_a_phone_shows_all_of_it_without_moving_sideways(browser: Any, runs: Path, tmp_path: Path, page: str) -> None:
    address = runs / page / "report.html"
    if page == "both":
        address = tmp_path / "several.html"
        write_runs_report(read_runs([runs / "fast", runs / "umsft"]), address)
    metrics = {"width": PHONE, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(address.as_uri())
        # A window that is too narrow would be made wider on a phone: both must be as wide as it is.
        widths = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert max(widths) <= PHONE
        boxes = browser.execute_script("return [...document.images].map(image => image.getBoundingClientRect())")
        assert all(box["left"] >= 0 and box["right"] <= PHONE for box in boxes)
        # Pictures of several panels are higher than wide, by the page's markup alone.
        shapes = browser.execute_script(
            "return [...document.querySelectorAll('source')].map(source => source.nextElementSibling)"
            ".map(image => [image.currentSrc === image.src, image.clientHeight / image.clientWidth])"
        )
        assert len(shapes) == {"umsft/dead_leaves": 7, "fast/dead_leaves": 6}.get(page, 0)  # the fast one has no curves
        assert [shape for shape in shapes if shape[0] or shape[1] < 1] == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_link_to_the_scene_works(browser: Any, runs: Path) -> None:
    browser.get((runs / "umsft" / "report.html").as_uri())
    browser.find_element("css selector", "table a").click()
    assert browser.find_element("tag name", "h1").text == "dead_leaves"

"""The part of report.html that one can look into, in a real browser, wide and narrow, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.browser

SCENE = "fast/dead_leaves"
# Sum of a canvas's pixels on each side of its middle; at 1/8 and 7/8, clear of divider and mark.
SIDES = """
const canvas = document.querySelector("canvas.picture"), copy = document.createElement("canvas");
copy.width = canvas.width, copy.height = canvas.height;
const context = copy.getContext("2d", {willReadFrequently: true});
context.drawImage(canvas, 0, 0);
const strip = place => context.getImageData(Math.floor(canvas.width * place), 0, 3, canvas.height).data;
return [0.125, 0.875].map(place => strip(place).reduce((sum, value) => sum + value, 0));
"""
MOVE = """
const canvas = document.querySelector("canvas.picture"), box = canvas.getBoundingClientRect();
const at = {clientX: box.left + arguments[1] * box.width, clientY: box.top + arguments[2] * box.height};
canvas.dispatchEvent(new PointerEvent(arguments[0], {...at, buttons: arguments[3], bubbles: true}));
"""
SLIDE = """
const slider = document.querySelector(`[data-part="${arguments[0]}"]`);
slider.value = arguments[1];
slider.dispatchEvent(new Event("input"));
"""


@pytest.fixture(params=[(1200, "en"), (390, "zh-CN")], ids=["wide", "phone"])
def page(request: pytest.FixtureRequest, browser: Any, runs: Path) -> Iterator[tuple[Any, str]]:
    """A scene's page on a screen of some width, in a browser of some language."""
    width, language = request.param
    agent = browser.execute_script("return navigator.userAgent")
    browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": language})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get((runs / SCENE / "report.html").as_uri())
    yield browser, language
    browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": "en"})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def shown(browser: Any, part: str) -> str:
    return str(browser.find_element("css selector", f"[data-part='{part}']").text)


def test_the_viewer_works(page: tuple[Any, str], runs: Path) -> None:
    browser, language = page
    body = browser.find_element("tag name", "body").text
    wanted, unwanted = ("Look closer", "逐波段查看")[:: 1 if language == "en" else -1]
    assert wanted in body
    assert unwanted not in body
    assert browser.execute_script("return document.documentElement.lang") == language
    # Nothing sticks out, and on a phone the spectrum stands below the picture.
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    tops = browser.execute_script("return [...document.querySelectorAll('canvas')].map(c => c.getBoundingClientRect())")
    assert (tops[1]["top"] > tops[0]["bottom"]) == (language != "en")

    # The divider: all of it the truth, then all of it LR.
    browser.find_element("css selector", "input[data-side='right'][value='truth']").click()
    browser.execute_script(SLIDE, "divider", 0)
    truth = browser.execute_script(SIDES)
    browser.execute_script(SLIDE, "divider", 1000)
    coarse = browser.execute_script(SIDES)
    assert coarse[0] != truth[0]
    assert coarse[1] != truth[1]
    browser.execute_script(SLIDE, "divider", 500)
    assert browser.execute_script(SIDES) == [coarse[0], truth[1]]
    # Dragged: the divider is where the pointer was let go.
    browser.execute_script(MOVE, "pointermove", 0.25, 0.5, 1)
    assert browser.execute_script("return document.querySelector('[data-part=divider]').value") == "250"

    # A band, and the values of the pixel under the pointer.
    browser.execute_script(SLIDE, "band", 11)
    assert shown(browser, "position") == "500 nm"
    assert browser.execute_script(SIDES) != [coarse[0], truth[1]]
    browser.execute_script(MOVE, "pointermove", 0.3, 0.7, 0)
    row, column = int(shown(browser, "row")), int(shown(browser, "column"))
    fused = np.load(runs / SCENE / "fused.npy")
    assert abs(row - 0.7 * 128) <= 1
    assert abs(column - 0.3 * 128) <= 1
    assert float(shown(browser, "value-fused")) == pytest.approx(fused[row, column, 10], abs=0.01)
    browser.execute_script("document.querySelector('canvas.picture').focus()")
    browser.switch_to.active_element.send_keys("\ue014")  # the right arrow
    assert int(shown(browser, "column")) == column + 1

    assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_the_page_is_whole_without_its_script(browser: Any, runs: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get((runs / SCENE / "report.html").as_uri())
        pictures = browser.find_elements("css selector", ".trio img")
        assert [picture.is_displayed() for picture in pictures] == [True] * 3
        assert not browser.find_element("css selector", "canvas.picture").is_displayed()
        assert "Look closer" in browser.find_element("tag name", "body").text
        browser.find_element("css selector", "label[for='language-zh']").click()
        body = browser.find_element("tag name", "body").text
        assert "逐波段查看" in body
        assert "Look closer" not in body
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_another_script_is_refused(browser: Any, runs: Path, tmp_path: Path) -> None:
    """What the policy is for: were a name ever to get out of its quotes, it would not run."""
    text = (runs / SCENE / "report.html").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    page.write_text(text.replace("</main>", "<script>document.title = 'caught'</script></main>"), encoding="utf-8")
    browser.get(page.as_uri())
    assert "caught" not in browser.title
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))

"""The VisualDL page of three short runs in a real browser: curves, pictures, hyper-parameters, names of scenes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.browser

# Pixels of a chart's canvas that are neither grey nor transparent: its curves.
COLOURED = """
return [...document.querySelectorAll('canvas')].map(canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [red, green, blue, alpha] = data.slice(i, i + 4);
    if (alpha > 0 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count += 1;
  }
  return count;
});
"""
# Of each name of a run: what stands before the bar, where that ends, and where whatever cuts the name off ends.
NAMES = """
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (walker.nextNode()) {
  const node = walker.currentNode;
  const bar = node.textContent.indexOf(' | ');
  if (bar < 0) continue;
  const range = document.createRange();
  range.setStart(node, 0);
  range.setEnd(node, bar);
  const box = range.getBoundingClientRect();
  let cell = node.parentElement;
  while (cell.parentElement && getComputedStyle(cell).overflowX === 'visible') cell = cell.parentElement;
  if (box.width > 0) found.push([node.textContent.slice(0, bar), box.right, cell.getBoundingClientRect().right]);
}
return found;
"""
DOTS = 12  # pixels of the dots that stand where a name is cut off
# Three scenes whose names begin and end alike, in a run of its own.
SCENES = ["chart_and_stuffed_animal_ms", "chart_and_stuffed_toy_ms", "chart_and_balloons_ms"]
PICTURES = "return [...document.images].filter(image => image.naturalWidth > 60 && image.clientHeight > 0).length"


@pytest.fixture(scope="module")
def several(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of several scenes beside the others."""
    from paddle_umsft import read_scene
    from paddle_umsft.config.load import load_config
    from paddle_umsft.runs.run import fuse_all

    scenes = tmp_path_factory.mktemp("scenes")
    for seed, name in enumerate(SCENES):
        made = read_scene("demo://dead_leaves", demo={"height": 48, "width": 64, "seed": seed})
        np.save(scenes / f"{name}.npy", made.hr_hsi)
    settings = ["method=gsa", f"data.path={scenes}", "data.layout=hwc", "data.wavelengths_nm=[400, 700]"]
    settings += ["observe.scale=8", "output.figures=false"]
    folder = runs / "cave_x8_gsa"
    folder.mkdir()
    fuse_all(load_config(None, settings), folder, quiet=True)
    return folder


@pytest.fixture(scope="module")
def address(runs: Path, several: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A VisualDL server over the runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("visualdl")), "--logdir", str(runs), "--language", "en"]
    command += ["--disable-telemetry", "--host", "127.0.0.1", "--port", str(port)]
    log = (tmp_path_factory.mktemp("visualdl") / "log.txt").open("w+b")
    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/app/"), "VisualDL does not answer", 90)
        yield f"http://127.0.0.1:{port}/app"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)
        log.close()


def answers(url: str) -> bool:
    try:
        request = urllib.request.Request(url, headers={"Accept-Language": "en"})
        with urllib.request.urlopen(request, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_for(condition: Any, complaint: str, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.5)
    raise AssertionError(complaint)


def text_of(browser: Any) -> str:
    return str(browser.execute_script("return document.body.innerText"))


def open_groups(browser: Any, names: list[str]) -> None:
    """Unfold the groups of tags that the page shows folded."""
    for name in names[1:]:  # the first one is open
        browser.execute_script(
            "[...document.querySelectorAll('h3')].filter(e => e.innerText.trim() === arguments[0])"
            ".forEach(e => e.click())",
            name,
        )


def test_curves_are_drawn(browser: Any, address: str) -> None:
    browser.get(f"{address}/scalar")
    groups = ["Evaluate", "Result", "Train", "WarmUp"]
    wait_for(lambda: all(group in text_of(browser) for group in groups), "groups of curves are missing")
    text = text_of(browser)
    assert "dead_leaves umsft" in text
    assert "dead_leaves fast" in text
    assert "mean cav" in text
    # PSNR, SAM, ERGAS, SSIM, RMSE of UMSFT's six steps.
    wait_for(
        lambda: sum(count > 100 for count in browser.execute_script(COLOURED)) >= 5, "no curves on the scalar page"
    )


def test_pictures_are_shown(browser: Any, address: str) -> None:
    browser.get(f"{address}/sample/image")
    wait_for(lambda: "Degradation/PSF" in text_of(browser), "no pictures of PSF and SRF")
    open_groups(browser, ["Degradation", "Fused"])
    tags = ["Degradation/SRF", "Fused/RGB", "Fused/error", "Fused/angle", "Fused/spectra"]
    wait_for(lambda: all(tag in text_of(browser) for tag in tags), f"not all of {tags} are on the page")
    wait_for(lambda: browser.execute_script(PICTURES) >= 4, "pictures are not loaded")


def test_runs_stand_side_by_side(browser: Any, address: str, runs: Path) -> None:
    browser.get(f"{address}/hyper-parameter")
    wait_for(lambda: "Result/PSNR" in text_of(browser), "no table of hyper-parameters")
    text = text_of(browser)
    for name in ("fast", "umsft"):
        metrics = json.loads((runs / name / "dead_leaves" / "metrics.json").read_text(encoding="utf-8"))
        psnr, numbers = metrics["fused"]["PSNR"], [float(found) for found in re.findall(r"\d+\.\d+", text)]
        assert min(abs(number - psnr) for number in numbers) < 1e-4
        assert metrics["method"] in text
    assert "NaN" not in text


def test_scenes_are_told_apart_where_the_page_cuts_their_names(browser: Any, address: str) -> None:
    # The page of hyper-parameters names logs by their paths; the scene has a column there.
    for page in ("scalar", "sample/image"):
        browser.get(f"{address}/{page}")
        names = wait_for(lambda: browser.execute_script(NAMES), f"no names on {page}")
        assert [name for name, end, cut in names if end + DOTS > cut] == [], page
        shown = {name for name, _, _ in names}
        assert len([name for name in shown if name.endswith(" cav…sa")]) >= len(SCENES), page


def test_results_and_scene_are_the_first_columns(browser: Any, address: str) -> None:
    browser.get(f"{address}/hyper-parameter")
    wait_for(lambda: "Result/PSNR" in text_of(browser), "no table of hyper-parameters")
    lines = text_of(browser).splitlines()
    first = lines.index("Trial ID")
    assert lines[first + 1 : first + 6] == ["PSNR", "SAM", "scene", "bands", "scale"]
    assert "mean of 3" in lines

"""A headless Chromium, driven through ChromeDriver; without them the tests here are skipped by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Without the background-networking flags Chromium calls home at every start.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --lang=en --window-size=1400,900"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.set_script_timeout(30)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two short runs on a made-up scene: the fast solver, and a few steps of a narrow UMSFT."""
    pytest.importorskip("visualdl", reason="visualdl is not installed")
    from paddle_umsft.config.load import load_config
    from paddle_umsft.runs.run import fuse_all

    root = tmp_path_factory.mktemp("output")
    common = ["data.path=demo://dead_leaves", "observe.scale=8"]
    short = ["solver.iterations=6", "warm_up.iterations=10", "evaluate.interval=2", "evaluate.images=3"]
    for name, more in (
        ("fast", ["method=subspace", "subspace.map_features=64"]),
        ("umsft", ["method=umsft", "network.width=8", "network.skip=4", "output.checkpoint_every=0", *short]),
    ):
        folder = root / name
        folder.mkdir()
        fuse_all(load_config(None, [*common, *more]), folder, quiet=True)
    return root

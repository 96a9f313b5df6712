"""Run folders with report.html: whole, harmless, and with the numbers of the run."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import Case, FusionResult, Observation
from paddle_umsft.machine.files import write_json
from paddle_umsft.runs.page import shown_facts
from paddle_umsft.runs.pictures import scene_figures
from paddle_umsft.runs.report import scene_report
from paddle_umsft.runs.run import fuse_all
from paddle_umsft.runs.run_page import Outlook, write_run_report

EVIL = "<script>alert('x')</script>\"&'"
VOID = {"meta", "link", "img", "br", "input", "source"}


class Page(HTMLParser):
    """Reads a page as a browser would and keeps what matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.policy = ""
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.scripts = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        self.attributes += [(name, value) for name, value in attrs]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = str(dict(attrs)["content"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " " if tag in ("td", "th") else ""

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts += data
        elif "style" not in self.open:
            self.text += data

    @property
    def links(self) -> list[str]:
        """Where the page leads to, outside itself."""
        return [source for source in self.sources if not source.startswith(("data:", "#"))]


def made_up_case(name: str, truth: bool = True) -> tuple[Case, FusionResult]:
    rng = np.random.RandomState(0)
    cube = rng.uniform(0.1, 0.9, (16, 24, 6)).astype(np.float32)
    psf, srf = np.full((4, 4), 1 / 16), rng.uniform(size=(3, 6))
    seen = Observation(
        lr_hsi=cube.reshape(4, 4, 6, 4, 6).mean(axis=(1, 3)), hr_msi=(cube @ srf.T).astype(np.float32), scale=4,
        name=name, meta={"notes": ["cropped <b>here</b>"], "source": name},
    )  # fmt: skip
    history = [{"stage": "fuse", "iteration": i, "loss": 1.0 / (i + 1)} for i in range(5)]
    result = FusionResult(cube + 0.01, psf, srf, history, "umsft", 1.25, {"rank": 4, "word": name})
    return Case(seen, cube if truth else None, psf if truth else None, srf if truth else None), result


def page_of(name: str, metrics: dict[str, Any], truth: bool = True) -> str:
    case, result = made_up_case(name, truth)
    return scene_report(case, result, metrics, load_config(None), drawn(scene_figures(case, result)))


def drawn(figures: dict[str, Any]) -> dict[str, bytes]:
    """The figures as files of PNG."""
    files = {}
    for name, figure in figures.items():
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=60)
        files[name] = stream.getvalue()
    return files


METRICS = {"method": "umsft", "convention": "author", "fused": {"PSNR": 41.2345, "SAM": 2.5}, "bicubic": {"PSNR": 30.0}}


@pytest.fixture(scope="module")
def page() -> tuple[str, Page]:
    """The page of a scene whose name is an attack, as text and as read."""
    text = page_of(EVIL, {**METRICS, "convention": "author " + EVIL})
    return text, Page(text)


def test_scene_page_holds_numbers_units_and_convention(page: tuple[str, Page]) -> None:
    for wanted in ("41.23", "PSNR (dB)", "SAM (°)", "author", "umsft", "bicubic", "numpy", np.__version__):
        assert wanted in page[1].text
    assert "lr: 0.002" in page[1].text  # the configuration, every key spelled out


def test_scene_page_loads_nothing_and_runs_one_script(page: tuple[str, Page]) -> None:
    assert page[1].tags.count("img") >= 6
    # Pictures lead to the same in full size, in files beside the page.
    names = ("overview", "error", "angle", "error_per_band", "spectra", "psf_srf", "curves")
    assert page[1].links == [f"{name}.png" for name in names]
    assert not re.search(r'src="(?!data:)', page[0])
    assert not re.search(r"https?://", page[0])
    assert page[1].tags.count("script") == 1
    digest = base64.b64encode(hashlib.sha256(page[1].scripts.encode()).digest()).decode()
    assert "default-src 'none'" in page[1].policy
    assert f"script-src 'sha256-{digest}';" in page[1].policy
    assert not [name for name, _ in page[1].attributes if name.startswith("on")]


def test_a_phone_shows_the_panels_below_each_other() -> None:
    case, result = made_up_case("scene")
    files = dict.fromkeys(("overview", "error_per_band"), b"wide")
    narrow = Image.new("RGB", (40, 90), "#c80000")
    text = scene_report(case, result, METRICS, load_config(None), files, {"overview": narrow})
    # A source of a picture needs no script, and comes before what it stands in for.
    whole = (
        r'<picture><source media="\(max-width: 600px\)" srcset="data:image/jpeg;base64,([^"]+)">\s*<img class="broad"'
    )
    (source,) = re.findall(whole, text)
    shown = Image.open(io.BytesIO(base64.b64decode(source)))
    assert shown.size == narrow.size
    np.testing.assert_allclose(np.asarray(shown)[45, 20], (200, 0, 0), atol=3)
    assert Page(text).tags.count("source") == 1


def test_scenes_stand_in_the_order_that_people_count(tmp_path: Path) -> None:
    for name in ("1", "10", "2"):
        write_json(tmp_path / name / "metrics.json", {**METRICS, "seconds": 2.0})
    write_run_report(tmp_path, load_config(None))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [source.split("/")[0] for source in page.links] == ["1", "2", "10"]


def test_what_was_found_stands_beside_the_verdict() -> None:
    case, result = made_up_case("scene")
    silent = "the learned response of MSI band 0 is zero everywhere, so that band was not used"
    result = replace(result, notes=(silent, "a shift of 1 pixel <undone>"))
    text = scene_report(case, result, METRICS, load_config(None), {})
    assert text.index("MSI band 0 is zero everywhere") < text.index("Quality")
    assert "a shift of 1 pixel &lt;undone&gt;" in text


def test_facts_are_told_in_words() -> None:
    facts = shown_facts({"range": [400, 700.123456], "pairs": [[0, 3], [2, 5]], "found": {"row": 1.5, "kind": "shift"}})
    assert facts == {"range": "400, 700.1", "pairs": "0, 3; 2, 5", "found": "row 1.5; kind shift"}


def test_names_are_escaped_wherever_they_appear(page: tuple[str, Page]) -> None:
    assert EVIL not in page[0]
    assert "alert" not in page[1].scripts
    assert EVIL in page[1].text
    assert "cropped <b>here</b>" in page[1].text


def test_without_truth_there_is_no_error_map() -> None:
    page = Page(page_of("pair", {"method": "umsft", "consistency": {"PSNR_HSI": 50.0}}, truth=False))
    assert "no truth" in page.text
    assert "Spectral angle" not in page.text
    assert "PSNR_HSI (dB)" in page.text


def test_run_page_has_every_scene_the_mean_and_the_failures(tmp_path: Path) -> None:
    for name, psnr in (("a", 40.0), ("b & c", 42.0)):
        write_json(tmp_path / name / "metrics.json", {**METRICS, "fused": {"PSNR": psnr}, "seconds": 2.0})
    write_run_report(tmp_path, load_config(None), {EVIL: "no such file <x>"})
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "b & c" in page.text
    assert "b%20%26%20c/report.html" in page.sources
    assert re.search(r"± std± 标准差\s*umsft\s*author\s*1\.414\b", page.text)
    assert re.search(r"mean均值\s*umsft\s*author\s*41\b", page.text)
    assert EVIL in page.text
    assert "no such file <x>" in page.text
    assert EVIL not in text


def test_a_run_writes_both_pages(tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    rng = np.random.RandomState(1)
    np.save(scenes / "a#1.npy", rng.uniform(size=(16, 16, 5)).astype(np.float32))
    np.save(scenes / "b.npy", np.zeros((4, 4), np.float32))
    folder = tmp_path / "run"
    folder.mkdir()
    overrides = [f"data.path={scenes.as_posix()}", "method=bicubic", "observe.srf=uniform", "observe.msi_bands=2"]
    overrides += ["observe.scale=4", "output.visualdl=false", "data.layout=hwc"]
    fuse_all(load_config(None, overrides), folder, quiet=True)
    Page((folder / "a#1" / "report.html").read_text(encoding="utf-8"))
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("img") == 1
    assert page.links == ["a%231/report.html"] * 3
    assert "Failed" in page.text
    assert "b.npy" in page.text


@pytest.mark.parametrize("losses", [[0.5, 0.2, 0.1], [-10.0, -20.0, -30.0], [0.5]])
def test_curves_show_every_loss(losses: list[float]) -> None:
    from paddle_umsft.figures import curves
    from paddle_umsft.figures.curves import has_curves

    history = [{"stage": "psf", "loss": value} for value in losses]
    history[-1]["PSNR"] = 33.0
    figure = curves(history)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), losses)
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [33.0])
    assert has_curves(history) == (len(losses) >= 3)


def test_what_is_over_the_pictures_is_what_is_in_the_cubes(page: tuple[str, Page]) -> None:
    case, result = made_up_case("scene")
    values = dict(zip(("LR", "fused", "truth"), [value for name, value in page[1].attributes if name == "data-values"]))
    (layout,) = [json.loads(value) for name, value in page[1].attributes if name == "data-layout"]
    assert layout["positions"] == [1, 2, 3, 4, 5, 6]
    for name, cube in {"LR": case.observation.lr_hsi, "fused": result.fused, "truth": case.reference}.items():
        codes = np.frombuffer(base64.b64decode(values[name]), np.uint8).reshape(6, *cube.shape[:2])
        read = np.array(layout["low"])[:, None, None] + np.array(layout["span"])[:, None, None] * (codes / 254) ** 2
        # Half a step of the code, where steps are widest.
        np.testing.assert_allclose(np.moveaxis(read, 0, 2), cube, atol=0.85 / 254)


@pytest.mark.parametrize("bands", [31, 200, 400])
def test_a_page_stays_below_five_megabytes(bands: int) -> None:
    """Noise is what no picture format makes smaller."""
    rng = np.random.default_rng(0)
    cube = rng.random((152, 160, bands), dtype=np.float32)
    seen = Observation(lr_hsi=cube[::4, ::4], hr_msi=cube[:, :, :3], scale=4)
    result = FusionResult(cube, method="fast")
    noise = io.BytesIO()
    picture = rng.integers(0, 256, (600, 900, 3), dtype=np.uint8)
    Image.fromarray(picture).save(noise, format="PNG", compress_level=0)
    names = ("overview", "error", "angle", "error_per_band", "expected_error", "spectra", "psf_srf", "curves")
    figures = dict.fromkeys(names, noise.getvalue())
    stacked = dict.fromkeys(names, Image.fromarray(rng.integers(0, 256, (1000, 310, 3), dtype=np.uint8)))
    text = scene_report(Case(seen, cube), result, METRICS, load_config(None), figures, stacked)
    assert len(text) < 5e6
    assert f"of 152×160 pixels, {min(bands, 80)} of {bands} bands" in text


def test_both_languages_are_in_the_page(page: tuple[str, Page]) -> None:
    assert page[1].attributes.count(("lang", "en")) > 20
    assert ("id", "language-zh") in page[1].attributes
    assert "What the cameras saw, and what came out两台相机看到的，以及融合结果" in page[1].text


def test_a_given_pair_claims_no_camera_that_was_not_used() -> None:
    case, result = made_up_case("pair", truth=False)
    settings = {"psf": {"type": "gaussian", "sigma": 2.0}, "srf": "nikon_d700"}
    seen = replace(case.observation, meta={"simulated": False, "observe": settings})
    result = replace(result, psf=None, srf=None)
    text = scene_report(Case(seen), result, {"method": "gsa"}, load_config(None), {})
    page = Page(text.replace(load_config(None).to_yaml(), ""))
    assert "nikon" not in page.text.split("config.yml")[0]
    assert "gaussian" not in page.text.split("config.yml")[0]
    assert page.text.count("not used by this method") == 2
    assert "Not used, as the pair is given: observe.srf, observe.psf" in page.text


def test_a_run_says_what_is_left(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        write_json(tmp_path / name / "metrics.json", {**METRICS, "seconds": 2.0})
    write_run_report(tmp_path, load_config(None), {}, Outlook(scenes=9, failed=2, seconds=300.0, at_once=2))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "3 of 9 scenes are done. At this pace 10 min were left" in page.text
    assert "已完成 3 / 9 个场景" in page.text
    write_run_report(tmp_path, load_config(None), {}, Outlook(scenes=9, failed=0, seconds=None))
    assert "3 of 9 scenes are done.已完成" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    write_run_report(tmp_path, load_config(None), {}, Outlook(scenes=5, failed=2, seconds=300.0))
    assert "At this pace" not in (tmp_path / "report.html").read_text(encoding="utf-8")

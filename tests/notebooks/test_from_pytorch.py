"""docs/from-pytorch.md at work: its five commands and its lines of Python, the twin in PyTorch playing their script."""

from __future__ import annotations

import csv
import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT, program

import paddle_umsft
from paddle_umsft.methods.uhntc.network import UHNTC
from paddle_umsft.methods.umsft.network import UMSFT
from paddle_umsft.weights import load_start, our_key

PAGES = [ROOT / "docs" / name for name in ("from-pytorch.md", "from-pytorch_CN.md")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# So short that it takes seconds; everything else is as the page has it.
QUICKLY = ["warm_up.iterations=1", "output.figures=false", "output.visualdl=false", "evaluate.images=0"]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, the five commands being the last of no language."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for kind, text in found if kind == language]


def without_comments(text: str) -> str:
    return re.sub(r"\s*#.*", "", text)


def test_both_languages_say_the_same() -> None:
    english, chinese = PAGES
    assert blocks(english, "") == blocks(chinese, "")
    for one, other in zip(blocks(english, "python"), blocks(chinese, "python")):
        assert without_comments(one) == without_comments(other)


@pytest.mark.parametrize("page", PAGES, ids=["en", "cn"])
def test_the_table_of_names_is_right(page: Path) -> None:
    """Every name there that stands for a layer or a tensor leads to the one here, as the converter has it."""
    text = page.read_text(encoding="utf-8")
    pairs = [
        ("HSIFE.extractor.0.weight", "hsi_encoder"),
        ("MSIFE.extractor.0.weight", "msi_encoder"),
        ("super2.1.0.2.weight", "levels.1"),
        ("FeatureMerge2.0.weight", "merge_msi"),
        ("FeatureMerge5.0.weight", "merge_hsi"),
        ("attention.w_qs.weight", "attention"),
        ("rm.refine.0.weight", "spatial_fusion"),
        ("FE.model.0.weight", "encoder"),
        ("HSIconv.weight", "encoder.query"),
        ("up_16.0.weight", "upsample_high"),
        ("up_4.0.weight", "upsample_middle"),
        ("skiph.0.weight", "skip_high"),
        ("skipm.0.weight", "skip_middle"),
        ("skipl.0.weight", "skip_low"),
        ("net.down.weight", "spatial.kernel"),
        ("srf_list.0", "spectral.responses"),
    ]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for there, here in pairs:
        assert here in str(our_key(there)), there
        first = there.split(".")[0]
        beginning = ".".join(there.split(".")[:2]) if first in ("net", "rm") else first
        assert [row for row in rows if f"`{beginning}`" in row and here in row], there
    for network in (UMSFT, UHNTC):
        assert f"`{network.__name__}`" in text


@pytest.mark.slow
def test_the_five_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.syspath_prepend(ROOT / "tests" / "parity")
    monkeypatch.chdir(tmp_path)
    page = PAGES[0]
    commands = [shlex.split(line) for line in blocks(page, "")[-1].splitlines()]
    assert [words[1] for words in commands] == [
        "tools/simulate.py", "THEIR_SCRIPT.py", "tools/train.py", "tools/train.py", "tools/eval.py",
    ]  # fmt: skip
    saving, _, reading, keeping = blocks(page, "python")
    for number, (_, name, *arguments) in enumerate(commands, start=1):
        if name == "THEIR_SCRIPT.py":
            their_script(reading, saving + keeping)
            continue
        more = QUICKLY if name == "tools/train.py" else []
        if number == 4:  # their weights are applied, ours trained: two steps will do
            more = [*more, "solver.iterations=2"]
        if name == "tools/eval.py":
            more = ["--csv", "table.csv"]
        assert program(name).main([*arguments, *more]) == 0
    shown = capsys.readouterr()
    assert "start      network.pth: network, spatial, spectral" in shown.out
    assert "swapped" not in shown.err  # everything is upright, and in the same units
    theirs, applied = np.load("theirs.npy"), np.load("output/their_weights/dead_leaves/fused.npy")
    # One network in two frameworks, float32: see docs/parity.md.
    assert np.abs(theirs - applied).max() < 3e-4
    with open("table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figures = [float(row["PSNR"]) for row in rows]
    assert len(figures) == 3
    assert figures[0] == pytest.approx(figures[1], abs=0.01)

    # The call of the page, on the pair's own arrays.
    namespace: dict[str, Any] = {}
    exec(reading, namespace)
    pair = namespace["pair"]
    given = {"lr_hsi": pair["lr_hsi"], "hr_msi": pair["hr_msi"], "supports": [[20, 31], [10, 23], [0, 12]]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network as it was drawn is nothing to trust
        exec(blocks(page, "python")[1], given)
    assert np.array_equal(given["result"].fused, applied)
    assert given["result"].notes == (given["result"].verdict.line,)


def their_script(reading: str, saving: str) -> None:
    """What stands in for it: the page's lines before and after, and the twin's fusion between them."""
    import torch
    import torch_twin

    torch.manual_seed(1)
    torch.set_num_threads(1)
    names: dict[str, Any] = {}
    exec(reading, names)
    srf_net = torch_twin.SrfNet(((20, 31), (10, 23), (0, 12)))
    with torch.no_grad():
        for layer in srf_net.conv_lst:
            layer.bias.fill_(0.5)  # no response is zero everywhere
    psf_net = torch_twin.PsfNet(8)
    network = torch_twin.Umsft(names["lr_hsi"], names["hr_msi"], srf_net)
    fused = network()  # (1, C, H, W)
    names.update(network=network, psf_net=psf_net, srf_net=srf_net, fused=fused)
    exec(saving, names)


def test_what_the_saving_lines_write_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uHNTC's form of them, with the SRF net beside the network."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.syspath_prepend(ROOT / "tests" / "parity")
    import torch_twin
    import torch_twin_uhntc

    network = torch_twin_uhntc.Uhntc(torch.rand(1, 5, 6, 8), torch.rand(1, 2, 48, 64))
    psf_net, srf_net = torch_twin.PsfNet(8), torch_twin.SrfNet(((0, 3), (2, 5)))
    state = {"net": network.state_dict(), "psf": psf_net.state_dict(), "srf": srf_net.state_dict()}
    torch.save(state, tmp_path / "network.pth")
    start = load_start(tmp_path / "network.pth")
    assert {name.split(".")[0] for name in start} == {"network", "spatial", "spectral"}
    random = np.random.default_rng(0)
    arrays = random.uniform(size=(6, 8, 5)), random.uniform(size=(48, 64, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # drawn at random, a response may be zero everywhere
        result = paddle_umsft.fuse(
            *arrays, supports=[[0, 3], [2, 5]], method="uhntc", weights=tmp_path / "network.pth", iterations=0
        )
    assert not [note for note in result.notes if "has no" in note]

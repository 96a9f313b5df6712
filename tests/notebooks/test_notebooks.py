"""Notebooks: kept clean, and executed from top to bottom where no data set is at hand."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import paddle_umsft
from paddle_umsft import figures

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
# Steps of a network that a reader may be made to wait for, in all notebooks together: three warm-up steps are counted
# for each one that is asked for. Some 20 ms each at the notebooks' sizes.
MOST_STEPS = 500


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def code(cell: dict[str, Any]) -> ast.Module:
    """A cell's Python, without the lines that IPython alone understands."""
    plain = [line for line in source(cell).splitlines() if not line.startswith(("%", "!"))]
    return ast.parse("\n".join(plain))


def test_all_six_are_here() -> None:
    wanted = ["01_quickstart", "02_cave_fusion", "03_psf_srf", "04_pytorch_weights", "05_own_images"]
    wanted.append("06_satellite")
    assert wanted == NAMES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_outputs_are_stripped(path: Path) -> None:
    for cell in cells(path, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_cells_call_the_package_and_define_nothing(path: Path) -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in cells(path, "code"):
        assert not [node for node in ast.walk(code(cell)) if isinstance(node, kinds)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_only_public_names_are_used(path: Path) -> None:
    public = {"paddle_umsft": paddle_umsft.__all__, "paddle_umsft.figures": figures.__all__}
    used = 0
    for cell in cells(path, "code"):
        for node in ast.walk(code(cell)):
            if isinstance(node, ast.Import):
                assert not [name.name for name in node.names if name.name.startswith("paddle_umsft")]
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("paddle_umsft"):
                assert {name.name for name in node.names} <= set(public[str(node.module)])
                used += 1
    assert used >= 2  # the version, and what the notebook is about


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_headings_and_explanations_are_chinese_too(path: Path) -> None:
    texts = [source(cell) for cell in cells(path, "markdown")]
    headings = [line for text in texts for line in text.splitlines() if line.startswith("#")]
    assert len(headings) >= 5
    chinese = [heading for heading in headings if re.search(r"[\u4e00-\u9fff]", heading)]
    assert len(chinese) >= len(headings) - 1  # "Paddle to PyTorch" says itself
    assert all(heading.startswith(("# ", "## ")) for heading in headings)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    pytest.importorskip("visualdl", reason="visualdl is not installed")
    monkeypatch.delenv("CAVE_ROOT", raising=False)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= (0 if path.stem.startswith("04") else 3)
    text = "".join(output.get("text", "") for output in outputs)
    if path.stem.startswith("04"):
        assert re.search(r"all \d+ comparisons of 1 case\(s\) hold", text)
        assert "equal to the last bit: True" in text
    if path.stem.startswith(("02", "03")) and not Path("/home/aistudio").is_dir():
        assert "No CAVE here" in text


def test_together_they_ask_for_few_steps() -> None:
    texts = [source(cell) for path in NOTEBOOKS for cell in cells(path, "code")]
    asked = [match for text in texts for match in re.findall(r"(warm_up\.)?iterations=(\d+)", text)]
    steps = sum(int(count) * (3 if is_warm_up else 1) for is_warm_up, count in asked)
    assert 0 < steps <= MOST_STEPS

"""Files of a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.machine.files import write_json
from paddle_umsft.runs.folder import write_summary
from paddle_umsft.runs.run_page import write_run_report


def test_metrics_are_valid_json_whatever_they_are(tmp_path: Path) -> None:
    content = {"a": np.float32(np.nan), "b": [np.inf, {"c": -np.inf}], "d": np.array([1, np.nan]), 5: (Path("x"), True)}
    write_json(tmp_path / "metrics.json", content)
    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text) == {"a": None, "b": [None, {"c": None}], "d": [1, None], "5": ["x", True]}
    assert "NaN" not in text
    perfect = {"method": "gsa", "convention": "author", "fused": {"PSNR": np.inf, "SAM": 0.0}, "seconds": 1.0}
    for name in ("one", "two"):
        write_json(tmp_path / name / "metrics.json", perfect)
    write_summary(tmp_path)
    assert "gsa,author,,0.0" in (tmp_path / "summary.csv").read_text()
    write_run_report(tmp_path, Config(), {})
    assert "<td>–</td>" in (tmp_path / "report.html").read_text(encoding="utf-8")

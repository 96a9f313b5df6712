"""What counts as a result of a scene."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from paddle_umsft.machine.files import write_whole
from paddle_umsft.runs.results import result_sums


def test_what_a_killed_process_was_writing_is_no_result(tmp_path: Path) -> None:
    left: list[Path] = []

    def write(temporary: Path) -> None:
        np.save(temporary, np.arange(3))
        # As a kill leaves it: half of it, under its own name.
        other = temporary.with_name(temporary.name.replace("fused", "srf"))
        other.write_bytes(temporary.read_bytes()[:20])
        left.append(other)

    write_whole(tmp_path / "fused.npy", write)
    assert left[0].is_file()
    content = (tmp_path / "fused.npy").read_bytes()
    expected = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert result_sums(tmp_path) == {"fused.npy": expected}

"""Spares the disk."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here outlives the test, so nothing need be on the disk when a file is closed."""
    monkeypatch.setattr("paddle_umsft.weights.formats.hashing.os.fsync", lambda handle: None)

"""history.csv read back as the records that it was written from."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path
from typing import Any

from paddle_umsft.data.records import Record
from paddle_umsft.machine.plain_files import open_plain


def read_rows(path: Path, log: logging.Logger) -> list[Record]:
    """Return the records of a history.csv as far as it is one; nothing that is computed depends on them.

    Args:
        path: The file.
        log: Is told what cannot be read.
    """
    rows: list[Record] = []
    try:
        with open_plain(path) as file:
            # A letter that is no UTF-8 spoils its own row alone.
            text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
            rows.extend(_numbers(row) for row in csv.DictReader(text))
    except (OSError, csv.Error) as error:
        log.warning("warning    %s is damaged (%s): rows before this step are lost", path, error)
    return rows


def _numbers(row: dict[str, str]) -> Record:
    """A row of history.csv as the record that it was; empty if it is none."""
    record: Record = {}
    for key, text in row.items():
        if not text or key is None:
            continue
        try:
            record[key] = _number(key, text)
        except (TypeError, ValueError):
            return {}
    return record


def _number(key: str, text: str) -> Any:
    """A cell of history.csv as the number that it was; a stage stays a word."""
    if key == "stage":
        return text
    if key in ("step", "iteration"):
        return int(text)
    return float(text)

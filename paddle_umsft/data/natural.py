"""Names in the order that people expect: 2 before 10."""

from __future__ import annotations

import re


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key: numbers by value, all else as lower-case text."""
    # Triples that can be compared with each other whatever stands in them; numbers come before letters.
    key = []
    for part in re.split(r"(\d+)", name.lower()):
        if part.isdecimal():
            key.append((0, int(part), ""))
        elif part:
            key.append((1, 0, part))
    return key

"""What a conversion did, as one table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_ORDER = ("converted", "kept aside", "filled", "dropped", "missing", "extra", "wrong shape", "wrong type")
ERRORS = ("missing", "extra", "wrong shape", "wrong type")
_FEW = 12


@dataclass(frozen=True)
class Row:
    """One tensor's fate.

    Args:
        status: One of: converted, kept aside, filled, dropped, missing, extra, wrong shape, wrong type.
        name: Its name in the source (in the result, if it is not in the source).
        note: Why, or how.
    """

    status: str
    name: str
    note: str = ""


@dataclass
class Report:
    """What a conversion did.

    Args:
        recognised: What the source is.
        source: Its file name and sha256.
        result: The result's; empty sha256 if nothing was written.
        grammar: Whose names the result uses, ``torch`` or ``paddle``.
        rows: One per tensor.
    """

    recognised: str
    source: tuple[str, str]
    result: tuple[str, str] = ("", "")
    grammar: str = ""
    rows: list[Row] = field(default_factory=list)

    def names(self, status: str) -> list[str]:
        """Returns the names of one status."""
        return [row.name for row in self.rows if row.status == status]

    def problems(self) -> str:
        """Returns everything missing, extra or wrong in one line; empty if there is nothing."""
        parts = []
        for status in ERRORS:
            found = [f"{row.name} ({row.note})" if row.note else row.name for row in self.rows if row.status == status]
            if found:
                parts.append(f"{status}: {', '.join(found)}")
        return "; ".join(parts)

    def table(self, every_name: bool = False) -> str:
        """Returns the table.

        Args:
            every_name: List all names, also of what went well.
        """
        lines = [f"{'':<12}{'tensors':>8}  note"]
        for status in _ORDER:
            rows = [row for row in self.rows if row.status == status]
            notes = Counter(row.note for row in rows if row.note)
            lines.append(f"{status:<12}{len(rows):>8}  {self._summary(status, notes)}".rstrip())
            if every_name or status in ERRORS or (status == "dropped" and len(rows) <= _FEW):
                lines += [f"{'':<22}{row.name}{': ' + row.note if row.note else ''}" for row in rows]
        return "\n".join(lines)

    @staticmethod
    def _summary(status: str, notes: Counter[str]) -> str:
        if status in ERRORS:
            return ""
        return "; ".join(f"{count} {note}" for note, count in notes.most_common(6))

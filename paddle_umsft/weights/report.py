"""What a conversion did, as one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

# What can become of a tensor, in the table's order.
_WELL = ("converted", "kept aside", "filled", "dropped")
ERRORS = ("missing", "extra", "wrong shape", "wrong type")
# So many dropped tensors are listed by name; more would bury what matters.
_FEW = 12
# So many different notes stand behind a count.
_MOST_NOTES = 6
# Widths of the table's columns.
_STATUS_WIDTH = 12
_COUNT_WIDTH = 8


@dataclass(frozen=True)
class TensorFate:
    """What became of one tensor.

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
        grammar: Whose names the result uses, `torch` or `paddle`.
        fates: One per tensor.
    """

    recognised: str
    source: tuple[str, str]
    result: tuple[str, str] = ("", "")
    grammar: str = ""
    fates: list[TensorFate] = field(default_factory=list)

    def add(
        self,
        status: str,
        name: str,
        note: str = "",
    ) -> None:
        """Note what became of a tensor."""
        self.fates.append(
            TensorFate(
                status=status,
                name=name,
                note=note,
            )
        )

    def names(self, status: str) -> list[str]:
        """Return the names of one status."""
        fates = self._of(status)
        return [fate.name for fate in fates]

    def problems(self) -> str:
        """Return everything missing, extra or wrong in one line; empty if there is nothing."""
        parts = []
        for status in ERRORS:
            tensors = [_with_note(fate) for fate in self._of(status)]
            if tensors:
                listed = ", ".join(tensors)
                parts.append(f"{status}: {listed}")
        return "; ".join(parts)

    def table(self, every_name: bool = False) -> str:
        """Return the table.

        Args:
            every_name: List all names, also of what went well.
        """
        lines = [_table_line("", "tensors", "note")]
        indent = " " * (_STATUS_WIDTH + _COUNT_WIDTH + 2)
        for status in (*_WELL, *ERRORS):
            fates = self._of(status)
            # What is wrong is listed below, each with its own note.
            notes = ""
            if status not in ERRORS:
                notes = _counted_notes(fates)
            lines.append(_table_line(status, str(len(fates)), notes))
            few_dropped = status == "dropped" and len(fates) <= _FEW
            if every_name or status in ERRORS or few_dropped:
                for fate in fates:
                    lines.append(indent + _name_and_note(fate))
        return "\n".join(lines)

    def _of(self, status: str) -> list[TensorFate]:
        return [fate for fate in self.fates if fate.status == status]


def _table_line(
    status: str,
    count: str,
    note: str,
) -> str:
    line = f"{status:<{_STATUS_WIDTH}}{count:>{_COUNT_WIDTH}}  {note}"
    return line.rstrip()


def _counted_notes(fates: Sequence[TensorFate]) -> str:
    counts: Counter[str] = Counter()
    for fate in fates:
        if fate.note:
            counts[fate.note] += 1
    common = counts.most_common(_MOST_NOTES)
    return "; ".join(f"{count} {note}" for note, count in common)


def _with_note(fate: TensorFate) -> str:
    if not fate.note:
        return fate.name
    return f"{fate.name} ({fate.note})"


def _name_and_note(fate: TensorFate) -> str:
    if not fate.note:
        return fate.name
    return f"{fate.name}: {fate.note}"

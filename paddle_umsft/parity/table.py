"""The parity table as text."""

from __future__ import annotations

import math

from paddle_umsft.parity.rows import Outcome, Row

NAME_WIDTH = 28  # characters that the names of the rows have room for
MOST_BROKEN = 5  # so many broken rows are named in the last line


def case_table(outcome: Outcome) -> str:
    """All rows of one case."""
    case = outcome.case
    # The heads of the two columns of numbers stand where `_line` puts these.
    before = " " * (2 + 10 + 1 + NAME_WIDTH)
    lines = [
        f"{case.name}: {case.describe()} ({outcome.seconds:.0f} s)",
        f"{before} {'largest difference':>18} {'allowed':>8}",
    ]
    group = ""
    for row in outcome.rows:
        # A group's name stands at its first row.
        label = ""
        if row.group != group:
            group = row.group
            label = group
        lines.append(_line(row, label))
    if outcome.absent:
        lines.append(f"  not in the golden files, so not compared: {', '.join(outcome.absent)}")
    return "\n".join(lines)


def _line(row: Row, label: str) -> str:
    verdict = "BROKEN"
    if row.ok:
        verdict = "ok"
    difference = f"{row.difference:.1e}"
    allowed = f"{row.limit:.0e}"
    counts = row.limit == 0.0  # how many are wrong, of which none may be
    if counts:
        allowed = "0"
        if not math.isnan(row.difference):
            difference = str(int(row.difference))
    cells = [
        f"  {label:10}",
        f"{row.name:{NAME_WIDTH}}",
        f"{difference:>18}",
        f"{allowed:>8}",
        f"{verdict:6}",
        row.note,
    ]
    return " ".join(cells).rstrip()


def verdict(outcomes: list[Outcome]) -> str:
    """The last line: everything holds, or what does not."""
    broken = []
    empty = []
    count = 0
    for outcome in outcomes:
        name = outcome.case.name
        count += len(outcome.rows)
        for row in outcome.rows:
            if not row.ok:
                broken.append(f"{name}: {row.group} {row.name}")
        if not outcome.rows:
            empty.append(name)
    if not broken and not empty:
        seconds = sum(outcome.seconds for outcome in outcomes)
        return f"all {count} comparisons of {len(outcomes)} case(s) hold ({seconds:.0f} s)"
    parts = []
    if broken:
        named = "; ".join(broken[:MOST_BROKEN])
        parts.append(f"{len(broken)} of {count} comparisons broken: {named}")
    if empty:
        parts.append(f"nothing to compare in {', '.join(empty)}")
    line = "; ".join(parts)
    if len(broken) > MOST_BROKEN:
        line += ", ..."
    return line

"""The parity table as text."""

from __future__ import annotations

from paddle_umsft.parity.rows import Outcome, Row

WIDTH = 28


def case_table(outcome: Outcome) -> str:
    """All rows of one case."""
    case = outcome.case
    lines = [f"{case.name}: {case.describe()} ({outcome.seconds:.0f} s)"]
    lines.append(f"  {'':10} {'':{WIDTH}} {'largest difference':>18} {'allowed':>8}")
    group = ""
    for row in outcome.rows:
        label = "" if row.group == group else row.group
        group = row.group
        verdict = "ok" if row.ok else "BROKEN"
        line = f"  {label:10} {row.name:{WIDTH}} {_figure(row):>18} {_allowed(row):>8} {verdict:6} {row.note}"
        lines.append(line.rstrip())
    if outcome.absent:
        lines.append(f"  not in the golden files, so not compared: {', '.join(outcome.absent)}")
    return "\n".join(lines)


def verdict(outcomes: list[Outcome]) -> str:
    """The last line: everything holds, or what does not."""
    rows = [(outcome.case.name, row) for outcome in outcomes for row in outcome.rows]
    broken = [f"{name}: {row.group} {row.name}" for name, row in rows if not row.ok]
    empty = [outcome.case.name for outcome in outcomes if not outcome.rows]
    seconds = sum(outcome.seconds for outcome in outcomes)
    if not broken and not empty:
        return f"all {len(rows)} comparisons of {len(outcomes)} case(s) hold ({seconds:.0f} s)"
    parts = [f"{len(broken)} of {len(rows)} comparisons broken: {'; '.join(broken[:5])}"] if broken else []
    parts += [f"nothing to compare in {', '.join(empty)}"] if empty else []
    return "; ".join(parts) + (", ..." if len(broken) > 5 else "")


def _figure(row: Row) -> str:
    return str(int(row.difference)) if _counts(row) and row.difference == row.difference else f"{row.difference:.1e}"


def _allowed(row: Row) -> str:
    return "0" if _counts(row) else f"{row.limit:.0e}"


def _counts(row: Row) -> bool:
    return row.limit == 0.0

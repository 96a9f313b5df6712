"""Tables of text: each form read back by another program, or against its definition."""

from __future__ import annotations

import csv
import io

from paddle_umsft.machine.tables import TextTable

CELLS = [["a|b_1", "1.50 ± 0.25"], ['with "quotes", and a comma', "∞"], ["–", "100%"], ["007", "1.0"]]
TABLE = TextTable(["file", "SAM (°)"], CELLS, words=1)


def test_csv_comes_back() -> None:
    assert list(csv.reader(io.StringIO(TABLE.csv()))) == [["file", "SAM (°)"], *CELLS]


def test_no_cell_is_a_formula_and_numbers_stay() -> None:
    odd = ["=1+1", "+cmd", "-2+3", "@a", "\tx", "-1.50", "+3", "-inf", "a=1", ""]
    (row,) = csv.reader(io.StringIO(TextTable([""] * len(odd), [odd], words=1).csv().partition("\n")[2]))
    assert row == ["'=1+1", "'+cmd", "'-2+3", "'@a", "'\tx", "-1.50", "+3", "-inf", "a=1", ""]


def test_text_is_lined_up_and_nothing_is_taken_for_a_number() -> None:
    head, rule, *lines = TABLE.text().splitlines()
    assert set(rule) == {"-", " "}
    ends = {len(line) for line in (head, *lines)}
    assert ends == {len(rule)}  # numbers end at the right
    assert [line.split("  ")[0] for line in lines] == [row[0] for row in CELLS]
    assert lines[-1].split() == ["007", "1.0"]


def test_markdown_has_as_many_cells_in_every_row() -> None:
    lines = TABLE.markdown().splitlines()
    for line in lines:
        assert line.replace("\\|", "").count("|") == 3
    cells = [[cell.strip() for cell in line.replace("\\|", "!").strip("|").split("|")] for line in lines]
    assert cells[0] == ["file", "SAM (°)"]
    assert cells[1][1].endswith(":")  # to the right
    assert cells[2] == ["a!b_1", "1.50 ± 0.25"]


def test_latex_has_nothing_that_latex_reads_as_its_own() -> None:
    text = TABLE.latex()
    assert text.startswith("\\begin{tabular}{lr}")
    assert "\\toprule" in text
    body = text.split("\\midrule")[1].split("\\bottomrule")[0]
    assert r"a|b\_1" in body
    assert r"1.50 $\pm$ 0.25" in body
    assert r"100\%" in body
    assert r"$\infty$" in body
    assert body.isascii()
    rows = [line for line in body.splitlines() if line.strip()]
    assert [line.count("&") for line in rows] == [1] * len(CELLS)


def test_a_table_without_rows_has_its_head() -> None:
    empty = TextTable(["a", "b"], [], words=1)
    assert empty.text().split() == ["a", "b", "---", "---"]
    assert empty.csv() == "a,b\n"
    assert empty.markdown().count("\n") == 2

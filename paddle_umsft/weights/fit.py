"""Compares the tensors that a network must have with those that there are: what is missing, extra, mis-shaped."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Misfit:
    """One tensor that keeps weights from fitting.

    Args:
        kind: `missing`, `extra` or `wrong shape`.
        name: Its name.
        wanted: The shape it must have; None if it is extra.
        found: The shape it has; None if it is missing.
    """

    kind: Literal["missing", "extra", "wrong shape"]
    name: str
    wanted: Optional[Shape] = None
    found: Optional[Shape] = None

    def __str__(self) -> str:
        if self.kind == "missing":
            return f"{self.name} missing"
        if self.kind == "extra":
            return f"{self.name} not known"
        return f"{self.name} {self.found} instead of {self.wanted}"


def misfits(
    wanted: Mapping[str, Shape],
    found: Mapping[str, Shape],
    *,
    optional: Container[str] = (),
    allow_extra: bool = False,
) -> list[Misfit]:
    """Compare shapes by name.

    Args:
        wanted: The shapes that there must be.
        found: The shapes that there are.
        optional: Names among the wanted ones that may be missing.
        allow_extra: Whether other names than the wanted ones are passed over.

    Returns:
        All that is missing, then all that is extra, then all of a wrong shape; empty if it fits.
    """
    # Three lists, so that what is missing comes first in a message, however long it gets.
    missing = []
    wrong = []
    for name, shape in wanted.items():
        if name not in found:
            if name not in optional:
                missing.append(
                    Misfit(
                        kind="missing",
                        name=name,
                        wanted=shape,
                    )
                )
        elif tuple(found[name]) != tuple(shape):
            wrong.append(
                Misfit(
                    kind="wrong shape",
                    name=name,
                    wanted=tuple(shape),
                    found=tuple(found[name]),
                )
            )
    extra = []
    if not allow_extra:
        for name, shape in found.items():
            if name not in wanted:
                extra.append(
                    Misfit(
                        kind="extra",
                        name=name,
                        found=shape,
                    )
                )
    return [*missing, *extra, *wrong]


def shapes_of(tensors: Mapping[str, Any]) -> dict[str, Shape]:
    """Return name -> shape of tensors of any library: whatever has a `shape`."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def first_lines(problems: Sequence[Misfit], most: int) -> list[str]:
    """Return a line for each of the first problems, and one that says how many more there are.

    Args:
        problems: As `misfits` gives them.
        most: How many lines to give at most, the last one apart.
    """
    lines = [str(problem) for problem in problems[:most]]
    rest = len(problems) - most
    if rest > 0:
        lines.append(f"and {rest} more")
    return lines

"""YAML as plain data, whatever somebody wrote: no code, no depth or size beyond what a configuration can have."""

from __future__ import annotations

from typing import Any

import yaml

# The longest configuration has some hundred values. Aliases of aliases make billions of a few lines.
MOST_VALUES = 100_000
# Of values that are not what their tag says, PyYAML raises what it meets.
_NOT_WHAT_IT_SAYS = (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, RecursionError)


def parse_yaml(text: str) -> tuple[Any, int]:
    """Return what YAML says, and where in the text it ends.

    Args:
        text: One document.

    Raises:
        ValueError: It is not YAML, or more than a configuration can be; the message is PyYAML's.
    """
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        if node is None:
            return None, 0
        if _count(node, {}) > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES} values, or a value within itself")
        return yaml.safe_load(text), node.end_mark.index
    except _NOT_WHAT_IT_SAYS as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for, each alias counted as often as it is met.

    Args:
        node: As composed: an alias is the very node that it names.
        known: Counts so far; of a node that is being counted, more than there may be.
    """
    place = id(node)
    if place not in known:
        # A value within itself has no end.
        known[place] = MOST_VALUES + 1
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        known[place] = 1 + sum(_count(child, known) for child in children)
    return known[place]

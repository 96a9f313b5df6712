"""Settings that messages and notes name exist: read from the package's own texts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import paddle_umsft
from paddle_umsft.config.run import Config

PACKAGE = Path(paddle_umsft.__file__).parent
SECTIONS = [name for name, field in Config.model_fields.items() if hasattr(field.annotation, "model_fields")]
NAMED = re.compile(rf"(?<![\w./-])(?:{'|'.join(SECTIONS)})(?:\.[a-z_][a-z0-9_]*)+")
# A member of PyTorch's files.
NO_SETTINGS = {"data.pkl"}


def texts() -> Iterator[str]:
    """Yield every text that is no docstring, parts of formatted ones included."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
                yield node.value


def exists(name: str) -> bool:
    model = Config
    for part in name.split("."):
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return False
        model = field.annotation
    return True


def test_every_setting_that_is_named_exists() -> None:
    named = {name for text in texts() for name in NAMED.findall(text)} - NO_SETTINGS
    assert len(named) > 40  # the reading found them
    assert sorted(name for name in named if not exists(name)) == []

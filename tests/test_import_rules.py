"""Who may import whom: read from the imports themselves, those inside functions and for types included."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import paddle_umsft

PACKAGE = Path(paddle_umsft.__file__).parent
# Room -> the rooms that it may know. The chain of the data comes first, each link knowing all before it.
MAY_KNOW: dict[str, set[str]] = {"errors": set(), "machine": {"errors"}}
for room in ("config", "data", "cameras", "preparation", "trust", "methods", "runs", "compare"):
    MAY_KNOW[room] = set(MAY_KNOW)
MAY_KNOW |= {"metrics": {"errors", "machine"}, "weights": {"errors", "machine"}}
MAY_KNOW["figures"] = MAY_KNOW["data"] | {"data", "metrics"}
MAY_KNOW["methods"] |= {"weights"}
MAY_KNOW["parity"] = MAY_KNOW["api"] = MAY_KNOW["methods"] | {"methods"}
MAY_KNOW["runs"] |= {"metrics", "figures"} | MAY_KNOW["methods"]
MAY_KNOW["compare"] |= {"metrics", "figures"} | MAY_KNOW["runs"]
MAY_KNOW |= {"command": MAY_KNOW["compare"] | {"compare"}, "__main__": {"command"}}
# Names that users' scripts know from earlier versions: each hands on to where its contents are now, and that is all.
EARLIER_NAMES = {"paddle_umsft.checkpoint", "paddle_umsft.run_folder", "paddle_umsft.data.arrays"}
MAY_KNOW["checkpoint"] = MAY_KNOW["run_folder"] = MAY_KNOW["runs"] | {"runs"}
# What methods share; every other folder of methods/ is one method's own.
SHARED = {"networks", "regression", "table", "told"}
NAMES = {path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
MODULES = {name[: -len(".__init__")] if name.endswith(".__init__") else name: path for path, name in NAMES.items()}


def imports_of(module: str) -> set[str]:
    """Modules of the package that a module imports; a package stands for what its `__init__` names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{name.name}" for name in node.names}
            found |= within if within <= set(MODULES) else within | {node.module}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name in MODULES and name not in (module, "paddle_umsft")}


def test_rooms_know_only_the_rooms_below_them() -> None:
    assert len(MODULES) > 100  # the reading found the package
    wrong = []
    for module in MODULES:
        room = [*module.split("."), ""][1]
        others = imports_of(module) if room else set()  # the package's own __init__ names everybody
        wrong += [f"{module} imports {other}" for other in others if other.split(".")[1] not in MAY_KNOW[room] | {room}]
    assert wrong == []


def test_no_method_knows_another_one() -> None:
    folders = {module: module.split(".")[2] for module in MODULES if module.startswith("paddle_umsft.methods.")}
    wrong = [(a, b) for a in folders for b in imports_of(a) if b in folders and folders[b] not in SHARED | {folders[a]}]
    assert wrong == []


def test_nobody_here_uses_a_name_that_has_moved() -> None:
    assert set(MODULES) >= EARLIER_NAMES
    wrong = [(module, other) for module in MODULES for other in imports_of(module) & EARLIER_NAMES]
    assert wrong == []


def test_every_name_that_has_moved_says_so_and_no_other_does() -> None:
    # `config` is a room of its own that had two names more.
    known = EARLIER_NAMES | {"paddle_umsft.config"}
    assert {module for module in MODULES if "paddle_umsft.machine.moved" in imports_of(module)} == known


def test_no_circle_of_files() -> None:
    try:
        TopologicalSorter({module: imports_of(module) for module in MODULES}).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None

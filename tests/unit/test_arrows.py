"""The import arrows and bans that import-linter cannot express."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "poolqueue" / "scheduling").rglob("*.py"))
PRODUCT = sorted([*(ROOT / "poolqueue").rglob("*.py"), *(ROOT / "handlers").rglob("*.py"), ROOT / "main.py"])
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def names_used(path: Path) -> Iterator[str]:
    """Every `a.b` that is spelled out, and every `from a import b`, also as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("path", RULES, ids=relative)
def test_the_rules_read_no_clock(path: Path) -> None:
    assert not CLOCKS & set(names_used(path))


@pytest.mark.parametrize("path", RULES, ids=relative)
def test_the_rules_open_and_print_nothing(path: Path) -> None:
    assert not {"open", "print", "input"} & set(calls(path))


@pytest.mark.parametrize("path", PRODUCT, ids=relative)
def test_only_config_reads_the_environment(path: Path) -> None:
    assert not ENVIRONMENT & set(names_used(path)) or relative(path) == "poolqueue/config/environment.py"

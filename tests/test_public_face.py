"""The public face: `porter/__init__.pyi` has all that plugins may import, and they import nothing else."""

from __future__ import annotations

import ast
import doctest
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import blocks

import porter
from porter import hookspecs
from porter.cli.new_command import PLUGIN, RUNTIME, TASK, render_project
from porter.hosting.hooks import hook_names

ROOT = Path(__file__).resolve().parents[1]
FACE = ROOT / "core/porter/__init__.pyi"
PAGES = (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/how-to/*.md"))
sys.path.append(str(ROOT / "docs"))


def face() -> set[str]:
    nodes = [node for node in ast.parse(FACE.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


def beyond(source: str) -> list[str]:
    """What Python code imports of porter that is not in its face."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("porter.")]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "porter":
            found += [f"porter.{node.attr}"] * (node.attr not in face())
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] == "porter":
            names = [alias.name for alias in node.names]
            found += [f"{node.module}.{name}" for name in names if node.module != "porter" or name not in face()]
    return found


def sources() -> Iterator[tuple[str, str]]:
    """Everything that an author reads or writes: (where, Python code)."""
    for path in ROOT.glob("plugins/**/*.py"):
        if "build" not in path.parts:
            yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    for kind in (PLUGIN, RUNTIME, TASK):
        for name, text in render_project(kind, "tiny").items():
            if name.endswith(".py"):
                yield f"porter new {kind.name}: {name}", text
    for page in (
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/how-to/*.md"),
        *ROOT.glob("plugins/*/*.md"),
    ):
        for block in blocks(page):
            if block.language == "python":
                yield f"{page.relative_to(ROOT)}, line {block.line}", block.text
    for hook in hook_names():
        [test] = doctest.DocTestFinder(recurse=False).find(getattr(hookspecs, hook), hook, globs={})
        yield hook, "".join(example.source for example in test.examples)


def test_authors_import_nothing_but_the_face() -> None:
    found = list(sources())
    assert len(found) > 60
    assert {where: names for where, source in found if (names := beyond(source))} == {}


def test_every_plugin_here_says_which_porter_it_was_made_for() -> None:
    for path in ROOT.glob("plugins/*/pyproject.toml"):
        required = tomllib.loads(path.read_text("utf-8"))["project"]["dependencies"]
        ranges = [one for one in required if re.fullmatch(r"porter-core(\[[\w,]+\])?>=0\.1,<0\.2", one)]
        assert len(ranges) == 1, path


def test_what_lies_beyond_is_found() -> None:
    assert beyond("from porter import hookimpl, testing") == []
    assert beyond("import porter.errors") == ["porter.errors"]
    assert beyond("import porter\nporter.cli.main.main()\nporter.run('x')") == ["porter.cli"]
    assert beyond("def f():\n    from porter.errors import BadInput") == ["porter.errors.BadInput"]
    assert beyond("from porter import nothing_of_the_kind") == ["porter.nothing_of_the_kind"]


def test_changes_and_other_blocks_name_no_module_either() -> None:
    for page in PAGES:
        for block in blocks(page):
            if block.language not in ("text", "console"):
                assert re.findall(r"^[-+ ]?\s*(?:from|import) porter\.", block.text, re.MULTILINE) == [], page.name


def test_every_name_is_there_and_none_costs_anything_before_it_is_used() -> None:
    assert set(porter.__all__) == face()
    assert [name for name in sorted(face()) if not hasattr(porter, name)] == []
    code = "import sys, porter; print(sorted(n for n in sys.modules if n.startswith('porter')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['porter']"


def test_the_page_has_every_name() -> None:
    page = (ROOT / "docs/reference/api.md").read_text("utf-8")
    headings = set(re.findall(r"^### `(.+)`$", page, re.MULTILINE))
    kit = {f"testing.{name}" for name in porter.testing.__all__}
    assert headings == face() - {"testing"} | kit


def test_a_name_without_a_docstring_is_an_error_of_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    from generator import api

    assert api.page().startswith("# Python interface")
    monkeypatch.setattr(porter.did_you_mean, "__doc__", None)
    with pytest.raises(ValueError, match=r"did_you_mean of porter\.errors: a public name without a docstring"):
        api.page()
    monkeypatch.undo()
    monkeypatch.setattr(api, "GROUPS", {"Errors": ("errors",)})
    with pytest.raises(ValueError, match=r"in no group of docs/generator/api\.py"):
        api.page()

"""The structure of core: which module may import which, what it must not know, and what it imports only when needed."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE, TEMPLATES = ROOT / "core/porter", ROOT / "templates"

LAYERS = (
    ("errors",),
    ("files", "records"),
    ("checkpoints", "contracts", "images", "runfolder"),
    ("data", "documents", "hookspecs", "machine"),
    ("graphs", "hosting", "worker"),
    ("diagnose",),
    ("builtin",),
    ("pipeline",),
    ("comparing", "importing", "predicting", "testing"),
    ("cli",),
    ("api",),
    ("__main__",),
)
"""The rooms of core from the bottom up. A module imports from its own room and from rooms of lower layers."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
LOOSE, LINES, TEMPLATE_COLUMNS = 4, 400, 200
"""Modules at the root of the package at most, lines of a Python file, characters of a line of a template."""
PROVIDERS = CORE / "builtin/onnxruntime.py"
"""The runtime of the interchange form, which may name the execution providers that it offers."""
HEAVY = frozenset({"torch", "onnx", "onnxruntime", "openvino", "cv2", "matplotlib", "numba"})
"""Packages that take long to import: `porter plugins` must answer at once."""

MODULES = sorted(CORE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Dotted name below `porter`: `stages.job`; empty for the package itself."""
    parts = path.relative_to(CORE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements(tree: ast.AST, *, into_functions: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements, those for type checking alone left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for otherwise in node.orelse:
                yield from statements(ast.Module([otherwise], []), into_functions=into_functions)
        elif into_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(node, into_functions=into_functions)


def imported(path: Path, *, into_functions: bool) -> Iterator[tuple[str, int]]:
    """Absolute names of what a module imports, each with its line: `porter.errors.BadInput`, `torch`."""
    for node in statements(ast.parse(path.read_text(encoding="utf-8")), into_functions=into_functions):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
            continue
        assert not node.level, f"{path}, line {node.lineno}: a relative import"
        for alias in node.names:
            yield f"{node.module}.{alias.name}", node.lineno


def upward_imports(path: Path) -> list[str]:
    """The imports of a module of core from a room of its own layer or above."""
    own = name_of(path).partition(".")[0]
    found = []
    for name, line in imported(path, into_functions=True):
        package, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if package != "porter" or target not in LEVEL or target == own:
            continue  # another distribution, `porter` itself, or the same room
        if LEVEL[target] >= LEVEL.get(own, -1):
            found.append(f"line {line}: {name}")
    return found


def arrows() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every import of a module of core by another, those for type checking included, as paths below the package."""
    known = {name_of(path): path for path in MODULES}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                targets = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for parts in (target.split(".")[1:] for target in targets if target.startswith("porter.")):
                while parts and ".".join(parts) not in known:
                    parts.pop()  # an object of a module
                if parts and ".".join(parts) != name:
                    yield tuple(name.split(".")), tuple(parts)


def circles() -> list[str]:
    """Circles among files, and at each level among folders and the files beside them."""
    graphs: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for source, target in arrows():
        depth = next((n for n, pair in enumerate(zip(source, target, strict=False)) if pair[0] != pair[1]), None)
        if depth is not None:
            graphs.setdefault(source[:depth], {}).setdefault(source[depth], set()).add(target[depth])
        graphs.setdefault(("files",), {}).setdefault(".".join(source), set()).add(".".join(target))
    found = []
    for place, graph in graphs.items():
        try:
            tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            found.append(f"{'.'.join(place) or 'core'}: {' -> '.join(error.args[1])}")
    return found


def test_every_room_has_a_layer() -> None:
    tops = {name_of(path).partition(".")[0] for path in MODULES} - {""}
    assert tops == set(LEVEL), "name new rooms of core in LAYERS"


def test_imports_run_downwards() -> None:
    assert {name_of(path): found for path in MODULES if (found := upward_imports(path))} == {}


def test_no_circle_of_files_or_folders() -> None:
    assert len(list(arrows())) > len(MODULES)
    assert circles() == []


def test_rooms_are_easy_to_name() -> None:
    stems = Counter(path.stem for path in MODULES if path.stem != "__init__")
    assert [stem for stem, count in stems.items() if count > 1] == []
    assert len([path for path in MODULES if path.parent == CORE]) <= LOOSE


def test_files_fit_their_idea() -> None:
    sources = [*MODULES, *ROOT.glob("plugins/*/src/**/*.py"), *ROOT.glob("bench/*.py")]
    long = [str(path.relative_to(ROOT)) for path in sources if len(path.read_text("utf-8").splitlines()) > LINES]
    assert long == []
    folders = (TEMPLATES, *ROOT.glob("plugins/*/src"))
    wide = [
        f"{path.relative_to(ROOT)}, line {number}"
        for path in (path for folder in folders for path in folder.rglob("*.j2"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > TEMPLATE_COLUMNS
    ]
    assert wide == []


def test_core_imports_no_plugin() -> None:
    names = {(name_of(path), name) for path in MODULES for name, _ in imported(path, into_functions=True)}
    assert len(names) > len(MODULES)
    assert {(module, name) for module, name in names if name.startswith("porter_")} == set()


def test_heavy_packages_are_imported_when_needed() -> None:
    found = [
        f"{name_of(path)}, line {line}: {name}"
        for path in MODULES
        for name, line in imported(path, into_functions=False)
        if name.partition(".")[0] in HEAVY
    ]
    assert found == []


def test_core_and_templates_name_no_model_and_no_device() -> None:
    """Nor any task but core's own: what they know of each, they know through hooks.

    `onnx` and `torch` are plugins' names, but first of all the format that core exports to, and the library that models
    are written in; the providers that ONNX Runtime is built with are named where it is asked for them.
    """
    offers = re.compile("def porter_(models|runtimes)")
    sources = [path for path in ROOT.glob("plugins/*/src/*/*.py") if offers.search(path.read_text(encoding="utf-8"))]
    names = {path.relative_to(ROOT / "plugins").parts[0] for path in sources}
    assert {"hrnet", "openvino"} <= names
    words = (names - {"onnx", "torch"}) | {f"porter_{name}" for name in names} | {"efficientnet", "segmentation"}
    either = "|".join(sorted(re.sub(r"[-_]", "[-_ ]?", word) for word in words))
    forbidden = re.compile(f"(?<![a-z])(?:{either})(?![a-z])", re.IGNORECASE)  # as a word of its own
    texts = [
        path
        for folder in (CORE, TEMPLATES)
        for path in folder.rglob("*")
        if path.suffix and "__pycache__" not in path.parts and path != CORE / "builtin/onnxruntime.py"
    ]
    assert len(texts) > len(MODULES)
    found = [
        f"{path.relative_to(ROOT)}, line {number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("words", [r"ascend|npu-smi|atc\b", "openvino"])
def test_core_and_templates_name_no_device(words: str) -> None:
    """What core knows of a device, it knows through a runtime's plugin. Its own runtime, that of the interchange form,
    may list what that offers: the names of execution providers, in one file."""
    forbidden = re.compile(words, re.IGNORECASE)
    found = {
        f"{path.relative_to(ROOT)}, line {number}: {line.strip()}"
        for folder in (CORE, TEMPLATES)
        for path in folder.rglob("*")
        if path.suffix and path != PROVIDERS and "__pycache__" not in path.parts and path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if forbidden.search(line)
    }
    assert sorted(found) == []


def test_plugins_import_porter_alone() -> None:
    """Its public names, and nothing from below them."""
    found = [
        f"{path.relative_to(ROOT)}, line {line}: {name}"
        for path in ROOT.glob("plugins/*/src/**/*.py")
        for name, line in imported(path, into_functions=True)
        if name.startswith("porter.") and name.count(".") > 1
    ]
    assert found == []


def test_the_checks_see_what_they_forbid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CORE", tmp_path)
    bad = tmp_path / "records/bad.py"
    bad.parent.mkdir()
    bad.write_text(
        "from typing import TYPE_CHECKING\n"
        "import onnx.helper\n"
        "from porter import machine, hookimpl\n"
        "if TYPE_CHECKING:\n    import torch\n    from porter.pipeline.run import Run\nelse:\n    import cv2\n"
        "def f():\n    import onnxruntime\n    from porter.pipeline.job.job import Job\n    import porter_tiny.plugin\n"
        "class C:\n    import torch\n"
    )
    assert upward_imports(bad) == ["line 3: porter.machine", "line 11: porter.pipeline.job.job.Job"]
    early = [name for name, _ in imported(bad, into_functions=False)]
    assert [name for name in early if name.partition(".")[0] in HEAVY] == ["onnx.helper", "cv2", "torch"]
    assert "porter_tiny.plugin" in [name for name, _ in imported(bad, into_functions=True)]

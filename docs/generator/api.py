"""docs/reference/api.md: every name of `porter`, as its source documents it."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import porter
from generator import markdown as md
from generator.source import REQUIRED, Class, Field, Method, read_class, signature_of

FACE = Path(str(porter.__file__)).with_suffix(".pyi")
GROUPS = {
    "Hooks and marks": ("hookspecs", "records.version"),
    "Requests of a model's hooks": ("contracts.requests", "contracts.rows"),
    "Runtimes": (
        "contracts.runtime",
        "contracts.measured",
        "contracts.probe",
        "contracts.progress",
        "contracts.returned",
        "contracts.worker_environment",
        "builtin.onnxruntime",
        "worker",
    ),
    "Forms of the documents": ("contracts.form",),
    "Tasks": ("contracts.task", "builtin.classification", "data.selection"),
    "Records": ("records",),
    "Running porter": ("api", "predicting", "cli.main", "hosting.manager", "importing", "runfolder", "pipeline.run"),
    "Errors": ("errors",),
    "Files": ("files", "data.store", "data.images_in"),
    "Graphs": ("graphs",),
    "Checkpoints": ("checkpoints",),
    "Images": ("images",),
    "Statistics and machine": ("machine",),
    "Testing": ("testing",),
}
"""Heading: the modules whose public names it has. A module below one of them is of its group."""


@dataclass(frozen=True, kw_only=True)
class Name:
    """One name of the face, and where it is defined."""

    name: str
    module: str
    value: Any


def page() -> str:
    """The page. Raises ValueError for a name without a docstring, and for one of a module that has no group."""
    names = public_names()
    parts = []
    for group in GROUPS:
        mine = [name for name in names if group_of(name) == group]
        if not mine:
            continue
        parts.append(f"## {group}")
        parts.append(", ".join(md.link(name.name) for name in mine))
        parts += [_section(name) for name in mine]
    return md.page(
        "Python interface",
        "What plugins and callers may import: `from porter import NAME`, and nothing else is promised. A name is "
        "imported when it is first used, so `import porter` costs nothing. What a hook gets and gives is also under "
        "[hooks](hooks.md).",
        *parts,
    )


def public_names() -> list[Name]:
    """Every name of `porter/__init__.pyi`, and of the testing kit as `testing.NAME`, in order."""
    found = []
    for node in ast.parse(FACE.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if node.module is None:  # `from . import testing`
                inner = importlib.import_module(f"porter.{alias.name}")
                found += [
                    Name(name=f"{alias.name}.{n}", module=alias.name, value=getattr(inner, n)) for n in inner.__all__
                ]
            else:
                found.append(Name(name=alias.name, module=node.module, value=getattr(porter, alias.name)))
    return sorted(found, key=lambda name: (name.name.lower(), name.name))


def group_of(name: Name) -> str:
    """The heading that a name stands under."""
    modules = {module: group for group, modules in GROUPS.items() for module in modules}
    parts = name.module.split(".")
    while parts:
        if ".".join(parts) in modules:
            return modules[".".join(parts)]
        parts.pop()
    raise ValueError(f"{name.name}: its module {name.module} is in no group of docs/generator/api.py")


def _section(name: Name) -> str:
    if inspect.isclass(name.value):
        return _class(name, read_class(name.value))
    function = inspect.unwrap(getattr(name.value, "__pytest_wrapped__", name.value))
    function = getattr(function, "obj", getattr(function, "_fixture_function", function))
    if inspect.isfunction(function):
        [node] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        assert isinstance(node, ast.FunctionDef)
        signature = signature_of(node)
        mark = "fixture " if function is not name.value else ""
        lines = md.block("python", f"{mark and '@pytest.fixture' + chr(10)}def {signature}")
        return "\n\n".join([f"### `{name.name}`", lines, _doc(name, inspect.getdoc(function))])
    return _plain(name)


def _class(name: Name, cls: Class) -> str:
    parts = [f"### `{name.name}`", _kind(name.value), _doc(name, cls.doc)]
    if cls.fields:
        rows = [[md.code(f.name), md.code(f.type), _default(f), f.doc] for f in cls.fields]
        parts.append(md.table(["field", "type", "default", "meaning"], rows))
    methods = [method for method in cls.methods if _is_told(name, method)]
    if methods:
        rows = [[md.code(m.signature), "yes" if m.abstract else "", m.doc] for m in methods]
        parts.append(md.table(["method", "must be written", "meaning"], rows))
    return "\n\n".join(part for part in parts if part)


def _is_told(name: Name, method: Method) -> bool:
    """False for a method that only does what a class above says of it. Raises ValueError where nothing says it."""
    if method.doc:
        return True
    own = method.signature.partition("(")[0]
    if not any(getattr(vars(base).get(own), "__doc__", None) for base in name.value.__mro__[1:]):
        raise ValueError(f"{name.name}.{own}: a public method without a docstring")
    return False


def _kind(cls: type) -> str:
    """What a class derives from, and how it is made."""
    bases = [base.__name__ for base in cls.__bases__ if base not in (object, Exception) and base.__name__ != "ABC"]
    above = f"A `{', '.join(bases)}`. " if bases else ""
    own = cls.__dict__.get("__init__")
    if "__dataclass_fields__" in cls.__dict__ or not inspect.isfunction(own):
        return above.strip()
    [node] = ast.parse(textwrap.dedent(inspect.getsource(own))).body
    assert isinstance(node, ast.FunctionDef)
    called = signature_of(node).removeprefix("__init__").removesuffix(" -> None")
    return f"{above}Made by `{cls.__name__}{called}`."


def _plain(name: Name) -> str:
    """A mark, an alias of a type or a constant: its assignment, and the string below it."""
    module = importlib.import_module(f"porter.{name.module}")
    body = ast.parse(inspect.getsource(module)).body
    last = name.name.rpartition(".")[2]
    for statement, following in pairwise(body):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == last for target in targets):
            text = following.value if isinstance(following, ast.Expr) else None
            doc = text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else ""
            parts = [f"### `{name.name}`", md.block("python", ast.unparse(statement)), _doc(name, doc)]
            return "\n\n".join(parts)
    raise ValueError(f"{name.name}: neither a class, a function nor an assignment in porter.{name.module}")


def _doc(name: Name, text: str | None) -> str:
    """A docstring as Markdown. Raises ValueError where there is none."""
    if not (text or "").strip():
        raise ValueError(f"{name.name} of porter.{name.module}: a public name without a docstring")
    lines, made = inspect.cleandoc(text or "").splitlines(), list[str]()
    for line in lines:  # `Args:` and `Raises:` with their indented entries become lists
        if line.rstrip() in ("Args:", "Raises:"):
            made += [line.strip(), ""]
        elif line.startswith("    ") and not line.startswith("        ") and made and ":" in line:
            made.append(f"- {line.strip()}")
        elif line.startswith("        ") and made and made[-1].startswith("- "):
            made.append(f"  {line.strip()}")
        else:
            made.append(line)
    return "\n".join(made)


def _default(field: Field) -> str:
    return field.default if field.default == REQUIRED else md.code(field.default)

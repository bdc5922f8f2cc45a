"""docs/reference/hooks.md, from hookspecs.py and the classes that its signatures name."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from generator import markdown as md
from generator.source import REQUIRED, Class, Field, closure, signature_of
from porter import hookspecs

KINDS = {True: "first result", False: "all plugins"}


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One hook as hookspecs.py documents it."""

    name: str
    signature: str
    firstresult: bool
    text: str
    example: str
    """Runs as it stands."""
    since: str


def hooks() -> list[Hook]:
    """Every hook, in the order of hookspecs.py. Raises ValueError where one lacks an example or its version."""
    tree = ast.parse(Path(str(hookspecs.__file__)).read_text(encoding="utf-8"))
    return [_hook(node) for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("porter_")]


def page() -> str:
    """The page."""
    found = hooks()
    classes = closure(hook.signature for hook in found)
    return md.page(
        "Hooks",
        inspect.getdoc(hookspecs) or "",
        md.table(
            ["hook", "kind", "answers", "since"],
            [[md.link(h.name), KINDS[h.firstresult], _first_sentence(h.text), h.since] for h in found],
        ),
        *(_section(hook, classes) for hook in found),
        "## Types\n\nWhat the hooks take and return. Dataclasses are frozen and take keywords only.",
        *(_class_section(cls) for cls in classes),
    )


def _hook(node: ast.FunctionDef) -> Hook:
    doc = ast.get_docstring(node) or ""
    parts = re.fullmatch(r"(?P<text>.*?)\n\nExample:\n(?P<example>.*?)\n\nSince: (?P<since>[\d.]+)", doc, re.DOTALL)
    if parts is None:
        raise ValueError(f"{node.name}: its docstring must end with `Example:`, a doctest, and `Since: VERSION`")
    marker = getattr(getattr(hookspecs, node.name), "porter_spec")  # noqa: B009 - pluggy's mark, unknown to mypy
    examples = doctest.DocTestParser().get_examples(parts["example"])
    return Hook(
        name=node.name,
        signature=signature_of(node),
        firstresult=bool(marker["firstresult"]),
        text=parts["text"],
        example=_spaced("".join(example.source for example in examples)),
        since=parts["since"],
    )


def _section(hook: Hook, classes: list[Class]) -> str:
    named = [cls.name for cls in classes if re.search(rf"\b{cls.name}\b", hook.signature)]
    facts = [f"Kind: {KINDS[hook.firstresult]}", f"Since: {hook.since}"]
    facts += [f"Types: {', '.join(map(md.link, named))}"] if named else []
    return "\n\n".join(
        [
            f"## `{hook.name}`",
            md.block("python", f"def {hook.signature}"),
            "\n".join(f"- {fact}" for fact in facts),
            hook.text,
            md.block("python", hook.example),
        ]
    )


def _class_section(cls: Class) -> str:
    parts = [f"### `{cls.name}`", f"{md.code(f'from {cls.module} import {cls.name}')}", cls.doc]
    if cls.fields:
        rows = [[md.code(f.name), md.code(f.type), _default(f), f.doc] for f in cls.fields]
        parts.append(md.table(["field", "type", "default", "meaning"], rows))
    if cls.methods:
        rows = [[md.code(m.signature), "yes" if m.abstract else "", m.doc] for m in cls.methods]
        parts.append(md.table(["method", "must be written", "meaning"], rows))
    return "\n\n".join(part for part in parts if part)


def _spaced(source: str) -> str:
    """Code of a doctest, which can have no blank lines, with those that a formatter puts into it."""
    lines = source.splitlines()
    tree = ast.parse(source)
    blanks = dict.fromkeys(_first_lines(tree.body), 2)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            blanks.update(dict.fromkeys(_first_lines(node.body), 1))
        elif isinstance(node, ast.FunctionDef):
            blanks.update((b.lineno, 1) for a, b in pairwise(node.body) if _imports(a) and not _imports(b))
    for line in sorted(blanks, reverse=True):
        lines[line - 1 : line - 1] = [""] * blanks[line]
    return "\n".join(lines)


def _imports(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _first_lines(body: list[ast.stmt]) -> list[int]:
    """Line numbers of the functions and classes of a body, its first statement left out, decorators included."""
    return [
        min([statement.lineno, *(decorator.lineno for decorator in statement.decorator_list)])
        for statement in body[1:]
        if isinstance(statement, ast.FunctionDef | ast.ClassDef)
    ]


def _default(field: Field) -> str:
    return field.default if field.default == REQUIRED else md.code(field.default)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]

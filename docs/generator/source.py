"""Classes as their source documents them: fields with the string literals below them, methods with their docstrings."""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

import porter.contracts
import porter.records

REQUIRED = "required"


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a dataclass, one annotated attribute of another class, or one member of an enumeration."""

    name: str
    type: str
    """As the source spells it."""
    default: str
    """As Python would show it, or `required`."""
    doc: str


@dataclass(frozen=True, kw_only=True)
class Method:
    """One public method."""

    signature: str
    abstract: bool
    """Whether a subclass must have it."""
    doc: str


@dataclass(frozen=True, kw_only=True)
class Class:
    """One class."""

    name: str
    module: str
    doc: str
    fields: tuple[Field, ...]
    methods: tuple[Method, ...]


def public_classes() -> dict[str, type]:
    """Every public class of `porter.contracts` and `porter.records` by name."""
    found: dict[str, type] = {}
    for module in (*_modules(porter.contracts), *_modules(porter.records)):
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                if name in found:
                    raise ValueError(f"two classes are named {name}: in {found[name].__module__} and {module.__name__}")
                found[name] = value
    return found


def closure(types: Iterable[str]) -> list[Class]:
    """The classes that these type annotations name, and those that their fields and methods name, in that order."""
    known = public_classes()
    pending = [name for text in types for name in _names(text, known)]
    done: dict[str, Class] = {}
    while pending:
        name = pending.pop(0)
        if name not in done:
            done[name] = read_class(known[name])
            pending += _names(" ".join(_annotations(done[name])), known)
    return list(done.values())


def read_class(cls: type) -> Class:
    """What the source of `cls` says. Raises ValueError for a field without a docstring."""
    [node] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    defaults = _defaults(cls)
    fields, methods = [], []
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        name = _target(statement, members=issubclass(cls, enum.Enum))
        if name:
            kind = ast.unparse(statement.annotation) if isinstance(statement, ast.AnnAssign) else ""
            doc = _literal(following)
            if not doc:
                raise ValueError(f"{cls.__module__}.{cls.__name__}.{name}: a field without a docstring below it")
            fields.append(Field(name=name, type=kind, default=defaults[name], doc=doc))
        elif isinstance(statement, ast.FunctionDef) and not statement.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in statement.decorator_list]
            signature = statement.name if "property" in decorators else signature_of(statement)
            methods.append(
                Method(
                    signature=signature,
                    abstract="abc.abstractmethod" in decorators,
                    doc=ast.get_docstring(statement) or "",
                )
            )
    return Class(
        name=cls.__name__,
        module=cls.__module__,
        doc=ast.get_docstring(node) or "",
        fields=tuple(fields),
        methods=tuple(methods),
    )


def signature_of(function: ast.FunctionDef) -> str:
    """A function's own line, with its annotations as the source spells them."""
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    arguments = ast.unparse(function.args).removeprefix("self, ").removeprefix("self")
    return f"{function.name}({arguments}){returns}"


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{info.name}")


def _names(text: str, known: dict[str, type]) -> list[str]:
    return [word for word in re.findall(r"\w+", text) if word in known]


def _annotations(found: Class) -> Iterator[str]:
    for field in found.fields:
        yield field.type
    for method in found.methods:
        yield method.signature


def _target(statement: ast.stmt, *, members: bool) -> str:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    if members and isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _literal(statement: ast.stmt | None) -> str:
    """The text of a string literal that stands alone, as a field's documentation does."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return inspect.cleandoc(str(statement.value.value))
    return ""


class _Defaults(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return REQUIRED


def _defaults(cls: type) -> _Defaults:
    found = _Defaults()
    if dataclasses.is_dataclass(cls):
        for field in dataclasses.fields(cls):
            if field.default is not dataclasses.MISSING:
                found[field.name] = repr(field.default)
            elif field.default_factory is not dataclasses.MISSING:
                value = field.default_factory()
                plain = type(value).__repr__ is object.__repr__  # which shows where in memory it is
                found[field.name] = f"{type(value).__name__}()" if plain else repr(value)
    elif issubclass(cls, enum.Enum):
        found.update({member.name: repr(member.value) for member in cls})
    else:
        found.update({name: repr(value) for name, value in vars(cls).items()})
    return found

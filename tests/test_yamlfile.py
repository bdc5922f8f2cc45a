"""Any file is read as plain values or refused in one line; any value is typed or refused by its key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from porter.errors import BadInput
from porter.files.yamlfile import read_yaml
from porter.files.yamltyped import from_yaml, yaml_fault


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "a.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def error_of(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- the file ----------------------------------------------------------------------------------------------------


def test_plain_values(tmp_path: Path) -> None:
    text = "\ufeffa: 1\nb: [2.5, no, 1e-4, (0,1)]\nc: {d: &x [1], e: *x}\nf:\n"
    assert read_yaml(written(tmp_path, text)) == {
        "a": 1,
        "b": [2.5, False, "1e-4", "(0", "1)"],
        "c": {"d": [1], "e": [1]},
        "f": None,
    }


def test_as_text_keeps_every_spelling(tmp_path: Path) -> None:
    text = """
a: 010
b: [12e45, no, 2024-01-01, 1:30, 0x1F, '1', .inf, =]
c: null
d: ~
e:
f: 'null'
1: {yes: nullable}
"""
    assert read_yaml(written(tmp_path, text), as_text=True) == {
        "a": "010",
        "b": ["12e45", "no", "2024-01-01", "1:30", "0x1F", "1", ".inf", "="],
        "c": None,
        "d": None,
        "e": None,
        "f": "null",
        "1": {"yes": "nullable"},
    }


@pytest.mark.parametrize("as_text", [False, True])
def test_merge_keys_work(tmp_path: Path, as_text: bool) -> None:
    document = read_yaml(written(tmp_path, "a: &a {x: p, y: q}\nb: {<<: *a, y: r}\n"), as_text=as_text)
    assert document["b"] == {"x": "p", "y": "r"}


def test_reading_as_text_leaves_the_other_way_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\n")
    assert read_yaml(path, as_text=True) == {"a": "1"}
    assert read_yaml(path) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "the file is empty"),
        (b"# only a comment\n", "the file is empty"),
        (b"- 1\n- 2\n", "expected a mapping of keys, found list"),
        (b"word", "expected a mapping of keys, found str"),
        (b"a: [1, 2\n", "not a plain YAML file: line"),
        (b"a: 1\nb: \tc\n d", "not a plain YAML file: line"),
        (b"a: 1\n---\nb: 2\n", "not a plain YAML file: line"),
        (b"a: 1\na: 2\n", "line 2: key 'a' is given twice"),
        (b"a: {b: 1, b: 2}\n", "line 1: key 'b' is given twice"),
        (b"\xff\xfea\x00:\x00", "not UTF-8 text (byte 0)"),
        (b"a: caf\xe9\n", "not UTF-8 text (byte 6)"),
        (b"a: \x07\n", "not a plain YAML file"),
        (b"a: !!python/object/apply:os.system ['exit 3']\n", "could not determine a constructor"),
        (b"a: !!python/name:os.system\n", "could not determine a constructor"),
        (b"a: !mine 1\n", "could not determine a constructor"),
        (b"a: 2024-13-45\n", "a value cannot be read"),
        (b"? [1, 2]\n: 3\n", "not a plain YAML file"),
        (b"a: " + b"[" * 50_000, "line 1: too much in it; levels of a config: 50 is the limit"),
        (b"a: &x [1]\nb: [" + b"*x, " * 33 + b"]\n", "line 2: too much in it; aliases in a config: 32 is the limit"),
        (b"#" * 1_000_001, "1 MB; config: 1 MB is the limit"),
        (b"a: [" + b"x," * 100_001 + b"]\n", "line 1: too much in it; values in a config: 100,000 is the limit"),
        (b"a: " + b"1:" * 400_000 + b"1\n", "line 1: too long; digits of a number in a config: 100 is the limit"),
        (b"a: !!int " + b"1:" * 400_000 + b"1\n", "digits of a number in a config: 100 is the limit"),
    ],
)
def test_what_is_no_plain_mapping_is_refused(tmp_path: Path, text: bytes, problem: str) -> None:
    path = written(tmp_path, text)
    message = error_of(path)
    assert message.startswith(str(path)) and problem in message


def test_an_alias_bomb_stays_small(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases in a config: 32 is the limit" in error_of(written(tmp_path, "\n".join(levels)))


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "gone.yaml")
    assert "a folder" in error_of(tmp_path)
    assert "not a regular file; the path of the file itself is needed" in error_of(Path("/dev/null"))
    assert "cannot be read" in error_of(tmp_path / ("x" * 300))
    error_of(Path("a\0b"))
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file; the path of the file itself is needed" in error_of(tmp_path / "pipe")


def test_a_path_cannot_forge_a_second_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nPASS.yaml"
    path.write_text("- 1\n")
    error_of(path)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes, as_text: bool) -> None:
    path = written(tmp_path_factory.getbasetemp(), data)
    try:
        assert isinstance(read_yaml(path, as_text=as_text), dict)
    except BadInput as error:
        assert "\n" not in str(error)


# --- its values --------------------------------------------------------------------------------------------------


Whole = Annotated[int, Meta(ge=1, le=1000)]


class Inner(Struct, kw_only=True, forbid_unknown_fields=True):
    preprocess: Any = None
    whole: Whole = 1
    number: Annotated[float, Meta(ge=-10, le=10)] = 0.0
    wholes: Annotated[tuple[Whole, ...], Meta(min_length=1, max_length=16)] = (1,)
    numbers: tuple[Annotated[float, Meta(ge=0, le=1)], ...] = ()
    text: str | None = None
    texts: tuple[str, ...] = ()
    mode: Literal["linear", "cubic"] = "linear"
    flag: bool = False
    inner: Inner | None = None


class Outer(Struct):
    top: Inner


def read_inner(key: str, value: Any) -> Any:
    return getattr(from_yaml({"top": {key: value}, "further": 1}, Outer, "f.yaml").top, key)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("whole", 4, 4),
        ("whole", "4", 4),
        ("whole", "2.24e2", 224),
        ("whole", 4.0, 4),
        ("number", "1e-4", 1e-4),
        ("number", 1, 1.0),
        ("wholes", [1, "2", 3.0], (1, 2, 3)),
        ("wholes", (1, 2), (1, 2)),
        ("wholes", "(1, 2)", (1, 2)),
        ("wholes", "[1,2]", (1, 2)),
        ("wholes", "(5,)", (5,)),
        ("wholes", 5, (5,)),
        ("numbers", ["1e-1", 0.2], (0.1, 0.2)),
        ("text", "abc", "abc"),
        ("text", "", ""),
        ("texts", ["no", "1"], ("no", "1")),
        ("texts", "a, b", ("a, b",)),
        ("flag", True, True),
        ("flag", "Yes", True),
        ("flag", "off", False),
    ],
)
def test_a_value_becomes_its_type(key: str, value: Any, expected: Any) -> None:
    found = read_inner(key, value)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("whole", None, "whole: has no value. Set one"),
        ("text", None, "text: has no value. Set one"),
        ("whole", "x", "whole: a whole number is needed, found 'x'"),
        ("whole", True, "whole: a whole number is needed, found True"),
        ("whole", 1.5, "whole: a whole number is needed, found 1.5"),
        ("whole", "1e999", "whole: a whole number is needed, found '1e999'"),
        ("whole", {}, "whole: a whole number is needed, found a mapping"),
        ("whole", 0, "whole: 0 is not within 1..1000"),
        ("whole", "1e300", "whole: '1e300' is not within 1..1000"),
        ("whole", 10**400, "whole: a number of more than 60 digits is not within"),
        ("number", "1e999", "number: '1e999' is not within"),
        ("number", float("inf"), "number: inf is not within"),
        ("number", float("nan"), "number: a number is needed, found nan"),
        ("number", "nan", "number: a number is needed, found 'nan'"),
        ("wholes", [1, "x"], "wholes[1]: a whole number is needed, found 'x'"),
        ("wholes", ["x"], "wholes: a whole number is needed, found 'x'"),
        ("wholes", "x", "wholes: a whole number is needed, found 'x'"),
        ("wholes", [], "wholes: 0 values, expected 1 to 16"),
        ("wholes", [1] * 17, "wholes: 17 values"),
        ("wholes", "", "wholes: a whole number is needed, found ''"),
        ("text", 8, "text: text is needed, found 8. Put it in quotes"),
        ("text", False, "text: text is needed, found False"),
        ("texts", ["a", None], "texts[1]: has no value"),
        ("texts", ["a", ["b"]], "texts[1]: text is needed, found a list"),
        ("texts", {"a": 1}, "texts: a list is needed, found a mapping"),
        ("mode", "linaer", "mode: 'linaer' is not supported, expected cubic or linear. Did you mean 'linear'?"),
        ("mode", 4, "mode: 4 is not supported"),
        ("flag", "maybe", "flag: true or false is needed, found 'maybe'"),
        ("flag", 1, "flag: true or false is needed, found 1"),
        ("inner", [1], "inner: a mapping is needed, found a list"),
        ("inner", {"inner": {"number": "x"}}, "inner.inner.number: a number is needed, found 'x'"),
        ("preproces", {}, "preproces: unknown key. Did you mean 'preprocess'?"),
        ("zzz", {}, "zzz: unknown key; known: preprocess, whole, number"),
        ("a\nb", {}, "a b: unknown key"),
        ("whole", "y" * 500, "..."),
    ],
)
def test_a_wrong_value_is_named_by_its_key(key: str, value: Any, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_inner(key, value)
    assert str(caught.value).startswith("f.yaml: top.")
    assert problem in str(caught.value) and len(str(caught.value)) < 180


def test_a_list_within_itself_is_shown_shortly(tmp_path: Path) -> None:
    document = read_yaml(written(tmp_path, "top:\n  whole: &a [*a]\n"))
    with pytest.raises(BadInput, match=r"line 2: top\.whole: a whole number is needed, found a list"):
        from_yaml(document, Outer, "f")


def test_an_absent_key_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(BadInput, match=r"^f\.yaml: top: missing; every such file has it. Did you mean 'tpo'\?$"):
        from_yaml({"tpo": 1}, Outer, "f.yaml", "missing; every such file has it")


def test_the_line_is_that_of_the_key(tmp_path: Path) -> None:
    document = read_yaml(written(tmp_path, "# a comment\ntop:\n  text: a\n  wholes:\n    - 1\n    - x\n"))
    with pytest.raises(BadInput, match=r"^f\.yaml, line 4: top\.wholes\[1\]: a whole number is needed, found 'x'$"):
        from_yaml(document, Outer, "f.yaml")
    odd = read_yaml(written(tmp_path, 'top:\n  "\\e[2Jtext": a\n'))
    with pytest.raises(BadInput, match=r"^f, line 2: top\.\\x1b\[2Jtext: unknown key; known: preprocess, whole"):
        from_yaml(odd, Outer, "f")
    assert str(yaml_fault(document, "f", "top.text", "is wrong")) == "f, line 3: top.text: is wrong"
    assert str(yaml_fault(document, "f", "top.gone", "is wrong")) == "f, line 2: top.gone: is wrong"
    assert str(yaml_fault({}, "f", "", "is wrong")) == "f: is wrong"

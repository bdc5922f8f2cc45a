"""Any file is read as plain values or refused in one line; any value is typed or refused by its key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porter.errors import BadInput
from porter.files.yamlfile import MAX_ALIASES, MAX_BYTES, read_yaml
from porter.files.yamlsection import Section


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
        (b"- 1\n- 2\n", "a mapping of keys is needed, found list"),
        (b"word", "a mapping of keys is needed, found str"),
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
        (b"a: " + b"[" * 50_000, "nested too deep"),
        (b"a: &x [1]\nb: [" + b"*x, " * (MAX_ALIASES + 1) + b"]\n", f"more than {MAX_ALIASES} aliases"),
        (b"#" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
    ],
)
def test_what_is_no_plain_mapping_is_refused(tmp_path: Path, text: bytes, problem: str) -> None:
    path = written(tmp_path, text)
    message = error_of(path)
    assert message.startswith(str(path)) and problem in message


def test_an_alias_bomb_stays_small(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert f"more than {MAX_ALIASES} aliases" in error_of(written(tmp_path, "\n".join(levels)))


def test_a_list_within_itself_is_shown_shortly(tmp_path: Path) -> None:
    section = Section(read_yaml(written(tmp_path, "a: &a [*a]\n")), "f")
    with pytest.raises(BadInput, match="a: a whole number is needed, found a list"):
        section.integers("a")


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "gone.yaml")
    assert "a folder" in error_of(tmp_path)
    assert "not a regular file" in error_of(Path("/dev/null"))
    assert "cannot be read" in error_of(tmp_path / ("x" * 300))
    error_of(Path("a\0b"))
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in error_of(tmp_path / "pipe")


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


def section(value: Any) -> Section:
    return Section({"key": value}, "f.yaml", "top")


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        (4, Section.integer, 4),
        ("4", Section.integer, 4),
        ("2.24e2", Section.integer, 224),
        (4.0, Section.integer, 4),
        ("1e-4", Section.number, 1e-4),
        (1, Section.number, 1.0),
        ([1, "2", 3.0], Section.integers, (1, 2, 3)),
        ((1, 2), Section.integers, (1, 2)),
        ("(1, 2)", Section.integers, (1, 2)),
        ("[1,2]", Section.integers, (1, 2)),
        ("(5,)", Section.integers, (5,)),
        (5, Section.integers, (5,)),
        (["1e-1", 0.2], Section.numbers, (0.1, 0.2)),
        ("abc", Section.text, "abc"),
        ("", Section.text, ""),
        (["no", "1"], Section.texts, ("no", "1")),
        (True, Section.boolean, True),
        ("Yes", Section.boolean, True),
        ("off", Section.boolean, False),
    ],
)
def test_a_value_becomes_its_type(value: Any, read: Callable[[Section, str], Any], expected: Any) -> None:
    found = read(section(value), "key")
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "read", "problem"),
    [
        (None, Section.integer, "key: has no value; give one"),
        ("x", Section.integer, "key: a whole number is needed, found 'x'"),
        (True, Section.integer, "key: a whole number is needed, found True"),
        (1.5, Section.integer, "key: a whole number is needed, found 1.5"),
        ({}, Section.integer, "key: a whole number is needed, found a mapping"),
        (0, Section.integer, "key: 0 is not within 1..1000000000"),
        (10**400, Section.integer, "key: a number of more than 60 digits is not within"),
        ("1e999", Section.number, "key: '1e999' is not within"),
        (float("inf"), Section.number, "key: inf is not within"),
        (float("nan"), Section.number, "key: a number is needed, found nan"),
        ("nan", Section.number, "key: a number is needed, found 'nan'"),
        ([1, "x"], Section.integers, "key[1]: a whole number is needed, found 'x'"),
        (["x"], Section.integers, "key: a whole number is needed, found 'x'"),
        ([], Section.integers, "key: 0 values"),
        ([1] * 17, Section.integers, "key: 17 values"),
        ("", Section.integers, "key: a whole number is needed, found ''"),
        (8, Section.text, "key: text is needed, found 8; put it in quotes"),
        (False, Section.text, "key: text is needed, found False"),
        ("a", Section.texts, "key: a list is needed, found 'a'"),
        (["a", None], Section.texts, "key[1]: text is needed, found nothing"),
        ("maybe", Section.boolean, "key: true or false is needed, found 'maybe'"),
        (1, Section.boolean, "key: true or false is needed, found 1"),
        ([1], Section.section, "key: a mapping is needed, found a list"),
        ("y" * 500, Section.integer, "..."),
    ],
)
def test_a_wrong_value_is_named_by_its_key(value: Any, read: Callable[[Section, str], Any], problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(section(value), "key")
    assert str(caught.value).startswith("f.yaml: top.key")
    assert problem in str(caught.value) and len(str(caught.value)) < 160


def test_absent_keys() -> None:
    empty = Section({"kye": 1}, "f.yaml", absent="missing; every such file has it")
    assert (empty.integer("a", default=3), empty.text("a", "x"), empty.boolean("a", False)) == (3, "x", False)
    assert (empty.integers("a", default=(1,)), empty.numbers("a", default=(0.5,))) == ((1,), (0.5,))
    assert empty.section("a", optional=True).values == {}
    with pytest.raises(BadInput, match=r"^f\.yaml: key: missing; every such file has it; did you mean 'kye'\?$"):
        empty.integer("key")
    with pytest.raises(BadInput, match=r"^f\.yaml: key: missing"):
        empty.section("key")


def test_unknown_keys_and_words() -> None:
    values = Section({"preproces": {}, "1": 2}, "f.yaml")
    with pytest.raises(BadInput, match=r"^f\.yaml: preproces: unknown key; did you mean 'preprocess'\?$"):
        values.refuse_unknown(("preprocess",))
    with pytest.raises(BadInput, match=r"^f\.yaml: 1: unknown key; known: preproces, other$"):
        values.refuse_unknown(("preproces", "other"))
    word = Section({"mode": "linaer", "n": 4}, "f.yaml")
    with pytest.raises(BadInput, match=r"mode: 'linaer' is not supported, it may be linear or cubic; did you mean 'l"):
        word.choice("mode", ("linear", "cubic"))
    with pytest.raises(BadInput, match="n: 4 is not supported"):
        word.choice("n", ("linear",))
    assert word.choice("absent", ("linear", "cubic"), "cubic") == "cubic"


def test_the_path_of_a_key_has_every_section() -> None:
    inner = Section({"a": {"b": {"c": "x"}}}, "f.yaml").section("a").section("b")
    with pytest.raises(BadInput, match=r"^f\.yaml: a\.b\.c: a number is needed, found 'x'$"):
        inner.number("c")
    assert str(inner.error("", "is wrong")) == "f.yaml: a.b: is wrong"

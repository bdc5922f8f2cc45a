"""Every sentence that core says in a document has its Chinese, with the same placeholders; nothing else is in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from porter.documents.languages import CHINESE, catalogue, placeholders, read_catalogue, say
from porter.documents.markdown import MARKDOWN
from porter.documents.templates import Templates, environment
from porter.errors import BadInput
from porter.records.message import Markup, Message, render

ROOT = Path(__file__).resolve().parents[1]
CORE, TEMPLATES = ROOT / "core/porter", ROOT / "templates"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/src/*/__init__.py"))
OF_THE_RENDERER = {"not measured", ", "}
"""What `render` itself says: a value that is not there, and what stands between those of a list."""


PASSES_ON = CORE / "documents/templates.py"
"""Makes messages of what templates say, which is looked at there."""


def sentences_of_code(source: str, where: str) -> Iterator[str]:
    """The templates of all messages in a module. Each must be a literal, and its placeholders its values."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Message"):
            continue
        place = f"{where}, line {node.lineno}"
        assert node.args, f"{place}: a message without a sentence"
        sentence = node.args[0]
        literal = isinstance(sentence, ast.Constant) and isinstance(sentence.value, str)
        assert literal, f"{place}: the sentence of a message must be a literal"
        assert isinstance(sentence, ast.Constant)
        given = {keyword.arg for keyword in node.keywords}
        if None not in given:  # values unpacked from a dictionary are not known here
            asked = {name for name, _ in placeholders(str(sentence.value))}
            assert given == asked, f"{place}: placeholders and values differ: {asked ^ given}"
        yield str(sentence.value)


def sentences_of_template(source: str, where: str) -> Iterator[str]:
    """What a template says through `_`, each a literal with its values."""
    from jinja2 import nodes

    for call in environment(Templates()).parse(source).find_all(nodes.Call):
        if not (isinstance(call.node, nodes.Name) and call.node.name == "_"):
            continue
        place = f"{where}, line {call.lineno}"
        assert call.args and isinstance(call.args[0], nodes.Const), f"{place}: the sentence must be a literal"
        sentence = str(call.args[0].value)
        given = {keyword.key for keyword in call.kwargs}
        asked = {name for name, _ in placeholders(sentence)}
        assert given == asked, f"{place}: placeholders and values differ: {asked ^ given}"
        yield sentence


def said(code: Path, templates: Path) -> set[str]:
    """Every sentence of the modules of one folder and the templates of another."""
    found = set[str]()
    for path in set(code.rglob("*.py")) - {PASSES_ON}:
        found.update(sentences_of_code(path.read_text(encoding="utf-8"), path.name))
    for path in templates.rglob("*.j2"):
        if not any(part.startswith("new-") for part in path.parts):
            found.update(sentences_of_template(path.read_text(encoding="utf-8"), path.name))
    return found


def test_every_sentence_has_its_chinese_and_no_other_is_there() -> None:
    known, wanted = set(catalogue(CHINESE)), OF_THE_RENDERER | said(CORE, TEMPLATES)
    assert len(wanted) > 200
    assert sorted(wanted - known) == [], "add them to templates/languages/zh.yaml"
    assert sorted(known - wanted) == [], "nothing says these any more. Take them out of templates/languages/zh.yaml"


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: path.name)
def test_every_sentence_of_a_plugin_has_its_chinese(package: Path) -> None:
    """In core's catalogue or in its own, which has no other and none of core's."""
    core, own = set(catalogue(CHINESE)), set(read_catalogue(package / "templates", CHINESE))
    wanted = said(package, package / "templates")
    assert sorted(wanted - core - own) == [], f"add them to {package.name}/templates/languages/zh.yaml"
    assert sorted(own - wanted) == [], f"nothing says these. Take them out of {package.name}"
    assert sorted(own & core) == [], f"core has these. Take them out of {package.name}/templates/languages/zh.yaml"


def test_the_collectors_see_what_they_must_refuse() -> None:
    assert list(sentences_of_code('Message("a {b}" " c", b=1)', "x.py")) == ["a {b} c"]
    for source in ('Message("a {b}")', 'Message("a", b=1)', "Message(text)", 'Message(f"a {b}")'):
        with pytest.raises(AssertionError, match=r"x\.py, line 1"):
            list(sentences_of_code(source, "x.py"))
    assert list(sentences_of_template('{{ _("a {b}", b=1) }}', "x")) == ["a {b}"]
    for source in ("{{ _(b) }}", '{{ _("a {b}") }}'):
        with pytest.raises(AssertionError, match="x, line 1"):
            list(sentences_of_template(source, "x"))


def test_a_catalogue_that_changes_a_placeholder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "languages"
    folder.mkdir()
    for content, says in {
        '"{n} images": "{m} 张"': "placeholders",
        '"{n:.2f} ms": "{n} 毫秒"': "placeholders",
        '"images": ""': "needs a sentence",
        '"images": [1]': "needs a sentence",
    }.items():
        (folder / "zh.yaml").write_text(content, encoding="utf-8")
        with pytest.raises(BadInput, match=says) as caught:
            read_catalogue(tmp_path, CHINESE)
        assert "zh.yaml" in str(caught.value)


def test_a_message_is_said_in_each_language() -> None:
    message = Message("{loaded} of {expected} entries loaded", loaded=3, expected=4)
    assert str(message) == say(message) == "3 of 4 entries loaded"
    assert say(message, CHINESE) == "4 个权重项中已加载 3 个"
    assert say("a plugin's own text", CHINESE) == "a plugin's own text"
    assert say(Message("a plugin's {what}", what="sentence"), CHINESE) == "a plugin's sentence"


def test_messages_nest_and_list() -> None:
    inner = Message("no comparable output")
    message = Message("{a}; {b}; {c:.2f}; {d}", a=inner, b=(inner, "plain"), c=-0.001, d=None)
    assert str(message) == "no comparable output; no comparable output, plain; 0.00; not measured"
    assert say(message, CHINESE).endswith("未测")
    assert msgspec.json.decode(msgspec.json.encode(message), type=Message) == message


def test_values_are_escaped_and_the_sentence_is_not_broken() -> None:
    message = Message("run `{command}` on {name}", command="a`b | c", name="<script>|*\n`x`\u202e")
    assert render(message, str, MARKDOWN) == "run ``a`b \\| c`` on &lt;script&gt;\\|\\* \\`x\\`\\\\u202e"
    assert str(Message("{a}", a="one\ntwo\x1b")) == "one two\\x1b"


def test_only_plain_placeholders_are_filled() -> None:
    """A record may come from a stranger: no attributes, no indices, no width that fills the memory."""
    for hostile in ("{a.__class__}", "{a[0]}", "{a:999999999d}", "{a!r}", "{0}", "{b}", "{", "}", "{a:.999f}"):
        assert str(Message(hostile, a=1.5)) == hostile
    assert str(Message("`{a}", a=1)) == "`1"


def test_letters_from_right_to_left_are_kept_apart() -> None:
    shown = render(Message("{name}: {n} of 3", name="\u05d0\u05d1", n=2), str, MARKDOWN)
    assert shown == "\u2068\u05d0\u05d1\u2069: 2 of 3"


def test_another_document_brings_its_own_markup() -> None:
    shouting = Markup(text=str.upper, code=lambda text: f"<{text}>")
    assert render(Message("see `{a}`, {b}", a="x", b="y"), str, shouting) == "SEE <x>, Y"

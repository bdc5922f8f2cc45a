"""A user's own templates in place of core's: `--template DIR`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import start, write_photos

from porter.cli.main import main
from porter.documents.deliver import deliver, require_templates
from porter.documents.templates import Templates
from porter.errors import BadInput
from porter.records.record import RunRecord
from porter.runfolder.record_file import read_record

EXTENDS = '{% extends "porter/README.md.j2" %}\n'


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    labels = write_photos(folder / "val", [0, 1, 2])
    start(folder / "out", folder / "val", labels).everything()
    return folder / "out"


@pytest.fixture
def record(finished: Path) -> RunRecord:
    return read_record(finished)


def readme(tmp_path: Path, record: RunRecord, template: str) -> str:
    own = tmp_path / "own"
    own.mkdir()
    (own / "README.md.j2").write_text(template)
    require_templates(own)
    deliver(tmp_path, record, Templates(user=own))
    return (tmp_path / "README.md").read_text()


def test_a_block_is_overridden_and_the_rest_stays(tmp_path: Path, finished: Path, record: RunRecord) -> None:
    block = "{% block verdict %}\nChecked by {{ m.standing(run.overall) }} for {{ model.title }}.\n{% endblock %}\n"
    own = readme(tmp_path, record, EXTENDS + block)
    assert "Checked by PASS" in own or "Checked by FAIL" in own
    assert "for Strongest channel." in own
    assert "| verdict | result | evidence |" not in own
    assert (finished / "README.md").read_text().partition("## Overview")[2] == own.partition("## Overview")[2]
    assert (tmp_path / "reproduce.sh").read_bytes() == (finished / "reproduce.sh").read_bytes()


def test_a_block_can_add_to_core_s(tmp_path: Path, finished: Path, record: RunRecord) -> None:
    own = readme(tmp_path, record, EXTENDS + "{% block title %}{{ super() }}\nFor our customers.\n{% endblock %}")
    assert own.startswith("# Strongest channel\n\nEnglish · [简体中文](README.zh.md)\n\nFor our customers.\n")


def test_a_template_may_stand_alone(tmp_path: Path, record: RunRecord) -> None:
    assert readme(tmp_path, record, "{{ run.data.listed }} images, {{ not_measured }}\n") == "3 images, not measured\n"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("x\n{{ run.lightspeed }}", r"own/README\.md\.j2, line 2: UndefinedError: .*lightspeed"),
        ("{{ 1 / 0 }}", r"README\.md\.j2, line 1: ZeroDivisionError: division by zero"),
        ("{{ 'a' | num }}", r"README\.md\.j2, line 1: ValueError"),
        ('{% extends "porter/READ.md.j2" %}', r"line 1: TemplateNotFound: porter/READ\.md\.j2"),
        ("{{ ''.__class__.__mro__ }}", r"line 1: SecurityError"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", r"line 1: OverflowError"),
        ('{% include "../run.json" %}', r"line 1: TemplateNotFound"),
        ('{% extends "README.md.j2" %}', r"RecursionError"),
    ],
)
def test_a_template_that_fails_is_one_line_with_its_place(
    tmp_path: Path, record: RunRecord, template: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        readme(tmp_path, record, template)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "README.md").exists()


def test_a_folder_that_is_none_is_refused_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/README.md.j2").write_text("a\n{% if %}")
    (tmp_path / "latin").mkdir()
    (tmp_path / "latin/README.md.j2").write_bytes(b"caf\xe9")
    for name, says in {
        "none": "no such folder",
        "file": "a file, not a folder",
        "empty": "holds none of README.md.j2, reproduce.sh.j2",
        "broken": "line 2: TemplateSyntaxError: Expected an expression",
        "latin": "README.md.j2: UnicodeDecodeError",
    }.items():
        for command in (["run", "no-model"], ["report", str(tmp_path)]):
            with pytest.raises(SystemExit) as stopped:
                main([*command, "--template", str(tmp_path / name)])
            assert stopped.value.code == 2
            printed = capsys.readouterr()
            assert says in printed.err
            assert printed.out == ""


def test_the_command_line_takes_the_folder(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md.j2").write_text("own {{ run.request.model }}\n")
    before = (finished / "README.md").read_bytes()
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(finished), "--template", str(tmp_path)])
    assert stopped.value.code == 0
    assert (finished / "README.md").read_text() == "own tiny\n"
    with pytest.raises(SystemExit):
        main(["report", str(finished)])
    assert (finished / "README.md").read_bytes() == before

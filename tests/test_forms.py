"""Forms of the documents by name, and facts of the host from a file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from plugin_objects import plugin
from test_deliver import broken_rows
from tiny import TinyPlugin, start, write_photos

from porter import Form, FormRequest, Progress, StandAlone, hookimpl
from porter.cli.main import main
from porter.documents.deliver import render
from porter.documents.form_folder import write_form
from porter.documents.languages import CHINESE
from porter.documents.templates import Templates
from porter.errors import BadInput, PluginError
from porter.hosting.manager import create_registry
from porter.machine.given_facts import read_host_facts
from porter.pipeline.begin import begin
from porter.records.record import RunRecord
from porter.runfolder.record_file import read_record, write_record

FACTS = """\
chip: X1
driver: 1.2
versions: {SDK: 7.0}
code: {commit: abcdef0123}
checkpoint: {file: best.pth}
licence: MIT
opset: 11
"""


class Note(Form):
    """What it is given shows in its files."""

    name, title = "note", "A note"

    def files(self, request: FormRequest) -> dict[str, bytes]:
        return {"a/b.txt": str(request.config).encode(), "README.md": request.record.request.model.encode()}


class Offering(TinyPlugin):
    @hookimpl
    def porter_forms(self) -> list[Form]:
        return [Note()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "host.yaml").write_text(FACTS)
    labels = write_photos(folder / "val", [0, 1, 2])
    given = {"form": "note", "host_facts": str(folder / "host.yaml")}
    start(folder / "out", folder / "val", labels, plugin=Offering(), **given).everything()
    return folder / "out"


def test_hook_porter_forms_writes_a_folder_beside_the_documents(finished: Path) -> None:
    assert (finished / "note/README.md").read_text() == "tiny" and (finished / "note/a/b.txt").read_text() == "None"
    assert (finished / "README.md").exists()
    record = read_record(finished)
    assert record.request.form == "note" and "--template note" in record.commands["run"]


def test_the_facts_are_recorded_and_shown_as_given(finished: Path) -> None:
    record = read_record(finished)
    assert record.host_facts is not None and record.host_facts.versions == {"SDK": "7.0"}
    assert (record.host_facts.code_commit, record.host_facts.opset) == ("abcdef0123", 11)
    english, chinese = (finished / "README.md").read_text(), render("README.md.j2", record, language=CHINESE)
    assert "| Chip | X1 (given by the user) |" in english and "| SDK | 7.0 (given by the user) |" in english
    assert "| 芯片 | X1（由用户提供） |" in chinese
    assert "not recorded" not in english  # only what is imported has a host that nobody can ask


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chips: X1", "chips: unknown key, did you mean 'chip'?"),
        ("devices_per_card: 0", "line 1: devices_per_card: "),
        ("code:\n  commit: main", "line 2: code.commit: "),
        ("checkpoint:\n  md5: 12", "line 2: checkpoint.md5: "),
        ("checkpoint:\n  url: ftp://x", "line 2: checkpoint.url: a web address is needed"),
        ("chip:", "chip: has no value"),
        ("versions: 7", "versions: a mapping is needed"),
        ("", "the file is empty"),
    ],
)
def test_a_wrong_fact_is_one_line_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "host.yaml").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_host_facts(tmp_path / "host.yaml")
    assert "host.yaml" in str(caught.value) and says.split(", did")[0] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_name_lists_the_forms(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["run", "hrnet"], ["report", str(finished)], ["import", "ascend", str(finished)]):
        with pytest.raises(SystemExit) as stopped:
            main([*line, "--template", "hugingface"])
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and said.count("\n") == 1
        assert "--template hugingface: no such folder; " in said and "form 'hugingface'" in said
        assert "id you mean 'huggingface'?" in said


def test_a_form_without_files_of_its_own_is_the_readme_in_its_languages(finished: Path, tmp_path: Path) -> None:
    class Plain(Form):
        name, title, languages = "plain", "porter's own README", ("zh", "en")

    paths = write_form(tmp_path, Plain(), read_record(finished), Templates())
    assert [path.name for path in paths] == ["README.md", "README.en.md"]
    assert "## 概述" in paths[0].read_text() and "## Overview" in paths[1].read_text()


def test_a_stage_goes_on_where_the_form_is_not_at_hand(finished: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "out")
    request = replace(read_record(out).request, data=str(finished.parent / "val"))
    said: list[str] = []
    progress = Progress()
    progress.note = said.append  # type: ignore[method-assign]
    begin(out, request, create_registry([("tiny", TinyPlugin())]), progress, "test", fresh=False).deliver()
    assert "the form 'note' of the run is not at hand and is left out" in said
    assert (out / "README.md").exists()


def test_a_form_that_is_not_at_hand_is_left_out(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path, read_record(finished))
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(tmp_path)])
    assert stopped.value.code == 0 and "the form 'note' of the run is not at hand" in capsys.readouterr().err
    assert not (tmp_path / "note").exists()


def test_a_form_is_refused_for_another_task(finished: Path, tmp_path: Path) -> None:
    form = Note()
    form.tasks = ("detection",)
    with pytest.raises(BadInput, match="--template note: made for models of the task detection; this model's task is"):
        write_form(tmp_path, form, read_record(finished), Templates())


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_a_form_stays_in_its_folder(finished: Path, tmp_path: Path, name: str) -> None:
    class Leaving(Note):
        def files(self, request: FormRequest) -> dict[str, bytes]:
            return {name: b"x"}

    with pytest.raises(PluginError, match="leads out of its folder"):
        write_form(tmp_path, Leaving(), read_record(finished), Templates())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "models"}, "the folder 'models' is a run's own"),
        ({"title": None}, "title is a value of type NoneType, it must be text"),
        ({"languages": ("fr",)}, "languages is ('fr',), it must name some of en, zh"),
        ({"languages": ()}, "it must name some of en, zh"),
        ({"templates": "x"}, "templates is a value of type str, it must be a Path or None"),
    ],
)
def test_a_wrong_form_fails_its_plugin(fields: dict[str, object], says: str) -> None:
    form = Note()
    vars(form).update(fields)
    [info] = [one for one in create_registry([("odd", plugin(porter_forms=lambda: [form]))]).infos if one.name == "odd"]
    assert info.state == "failed" and says in info.reason


def test_code_that_stands_alone_finds_its_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import torch\nfrom pkg.two import f\nfrom pkg.three import g\n")
    (tmp_path / "two.py").write_text("def h():\n    from pkg.one import x\n")
    sources = StandAlone(files=(tmp_path / "one.py", tmp_path / "two.py")).sources()
    assert sources == {
        "one.py": "import torch\nfrom two import f\nfrom pkg.three import g\n",
        "two.py": "def h():\n    from one import x\n",
    }


def test_the_model_card_has_what_is_known_and_says_what_is_not(finished: Path, tmp_path: Path) -> None:
    record = read_record(finished)
    form = create_registry().form("huggingface")
    [path] = write_form(tmp_path, form, record, Templates())
    card = path.read_text()
    assert broken_rows(card) == [] and "| Licence | MIT |" in card and "\nlicense: mit\n" in card
    bare = replace(
        record, evaluations=(), performance=(), comparisons=(), load=None, export=None, files=(), host_facts=None
    )
    write_form(tmp_path, form, bare, Templates())
    assert "| Licence | not recorded: fill in |" in path.read_text() and "license" not in path.read_text()
    assert "Accuracy: not measured." in path.read_text() and "Throughput: not measured." in path.read_text()


def test_the_code_of_the_model_card_answers_as_the_run_did(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record: RunRecord = read_record(finished)
    [path] = write_form(tmp_path, create_registry().form("huggingface"), record, Templates())
    code = path.read_text().partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(finished / "models")
    rows = [line.split(",") for line in (finished / "predictions.csv").read_text().splitlines()]
    ran = 0
    for row in rows[1:]:
        cells = dict(zip(rows[0], row, strict=True))
        image = finished.parent / "val" / cells["image"]
        exec(code.replace('"image.jpg"', repr(str(image))), {})
        assert capsys.readouterr().out.strip() == cells["class1"]
        ran += 1
    assert ran == 6


def test_what_the_json_of_plugins_lists(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plugins", "--json"])
    listed = {name for row in json.loads(capsys.readouterr().out) for name in row["forms"]}
    assert "huggingface" in listed

"""The documents: every number from the record, nothing that a hostile name can break."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from figures import figures, rounded_twice, unfounded
from tiny import SPEC, TinyPlugin, start, write_photos

from porter.documents import templates
from porter.documents.deliver import deliver, render
from porter.documents.markdown import code, link, num, shell, text
from porter.errors import BadInput
from porter.records.loaded import LoadReport
from porter.records.record import SCHEMA_VERSION, RunRecord
from porter.records.request import RunRequest
from porter.runfolder.commands import commands_of
from porter.runfolder.record_file import read_record, write_record

HOSTILE = "<script>alert(1)</script> | `a``b` *x* [y](http://z) \n# head \u202egnp.\x1b[31m" + "w" * 200
READMES = ("README.md", "README.zh.md")


def record_with(option: str, value: object) -> bytes:
    request = {"model": "tiny", option: value}
    known = {"schema_version": SCHEMA_VERSION, "porter": "0", "created": "", "command": ""}
    return json.dumps({**known, "request": request}).encode()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    labels = write_photos(folder / "val", [0, 1, 2, 0, 1, 2, 2])
    (folder / "val/photo 003.jpg").write_bytes(b"")
    start(folder / "out", folder / "val", labels, max_drop=50.0).everything()
    return folder / "out"


@pytest.mark.parametrize("name", READMES)
def test_every_number_in_a_readme_is_in_the_record(finished: Path, name: str) -> None:
    record = json.loads((finished / "run.json").read_text())
    assert unfounded((finished / name).read_text(), record) == []
    assert rounded_twice((finished / name).read_text(), record) == {}


def test_both_readmes_state_the_same_figures(finished: Path) -> None:
    english, chinese = (figures((finished / name).read_text()) for name in READMES)
    assert len(english) > 100 and english == chinese


def test_the_checks_themselves_find_an_invented_number() -> None:
    assert unfounded("42 ms, 17.25 images/s, 共43张", {"a": 17.2512}) == ["42", "43"]
    assert rounded_twice("93.57, 93.571, 1.24e-01, 0.12", {"a": 93.5714, "b": 0.1236}) == {93.5714: ["93.57", "93.571"]}
    assert unfounded("12,345 and 12,346 images, batch 1, 200", {"a": 12345, "b": [1, 200]}) == ["12346"]
    assert figures("3 of 4, 2.50") == figures("4 张中的3张，2.50") != figures("4 张中的 3 张")


def test_a_chinese_readme_is_chinese(finished: Path) -> None:
    """No sentence of core's stays English: what is left is names, commands and the model's own words."""
    document = (finished / "README.zh.md").read_text()
    prose = re.sub(r"```.*?```|`[^`]*`", "", document, flags=re.DOTALL)
    english = re.findall(r"(?:[a-z]+ ){4,}[a-z]+", prose)
    assert english == []
    assert "# Strongest channel" in document and "[English](README.md) · 简体中文" in document


def test_the_documents_are_made_again_from_the_record_alone_byte_for_byte(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "run.json", tmp_path)
    deliver(tmp_path, read_record(tmp_path))
    for name in (*READMES, "reproduce.sh"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()


def test_a_record_survives_being_written_and_read(finished: Path, tmp_path: Path) -> None:
    record = read_record(finished)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert (tmp_path / "run.json").read_bytes() == (finished / "run.json").read_bytes()


def test_tables_are_whole(finished: Path) -> None:
    """Every row of a table has as many cells as its header: GitHub drops what is over."""
    for name in READMES:
        assert broken_rows((finished / name).read_text()) == []


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    odd = "a|b`<img src=x onerror=alert(1)>` *.jpg"
    (tmp_path / "val" / odd).write_bytes(b"")
    labels.write_text(labels.read_text() + f"{odd} 1\n", encoding="utf-8")
    hostile = {"title": HOSTILE, "description": HOSTILE, "facts": {HOSTILE: HOSTILE}, "paper": HOSTILE, "code": HOSTILE}
    plugin = TinyPlugin(replace(SPEC, licence=HOSTILE, variant=HOSTILE, **hostile))
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=plugin, max_drop=100.0)
    run.everything()
    for name in READMES:
        assert_harmless((tmp_path / "out" / name).read_text())


def assert_harmless(document: str) -> None:
    assert broken_rows(document) == []
    outside = re.sub(r"(?<![\\`])(`+)(?!`)(?:(?!\1(?!`)).)+\1(?!`)", "", document)
    assert "<script" not in outside and "<img" not in outside and not re.search(r"(?<!\\)\]\(http", outside)
    assert "\x1b" not in document and "\u202e" not in document
    assert not any(line.startswith("# head") for line in document.splitlines())


def test_hostile_figures_stay_text(finished: Path) -> None:
    """What a task or a record by another hand names: metrics, units, stages, and where the items were read from."""
    record = read_record(finished)
    first = record.evaluations[0]
    assert first.end_to_end is not None
    stages = tuple(replace(stage, name=f"{number} {HOSTILE}") for number, stage in enumerate(first.end_to_end.stages))
    odd = replace(
        first,
        metrics=tuple(replace(metric, title=HOSTILE, unit=HOSTILE) for metric in first.metrics),
        end_to_end=replace(first.end_to_end, source=HOSTILE, stages=stages),
    )
    altered = replace(record, evaluations=(odd, *record.evaluations[1:]))
    for language in ("en", "zh"):
        assert_harmless(render("README.md.j2", altered, language=language))
    page = render("report.html.j2", altered)
    assert page.count("<script") == 1 and "\u202e" not in page and "\x1b" not in page


def test_the_script_quotes_what_a_shell_would_mind(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "it's; touch pwned #", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "it's; touch pwned #", labels)
    run.everything()
    script = tmp_path / "out/reproduce.sh"
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    assert script.stat().st_mode & 0o111
    if shutil.which("shellcheck"):
        checked = subprocess.run(["shellcheck", "--shell=sh", script], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stdout) == (0, "")


def test_the_script_checks_its_inputs_and_its_target(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    odd = labels.rename(tmp_path / "back\\slash's labels.txt")
    out = tmp_path / "out"
    start(out, tmp_path / "val", odd).everything()
    folder = Path(sys.executable).parent

    def reproduce(*arguments: object, path: str = f"{folder}{os.pathsep}{os.environ['PATH']}") -> tuple[int, str]:
        command = ["sh", str(out / "reproduce.sh"), *map(str, arguments)]
        environment = {**os.environ, "PATH": path, "DATA": str(tmp_path / "val"), "LABELS": str(odd)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    code, said = reproduce(tmp_path / "new")
    assert code == 2 and "unknown model 'tiny'" in said, "the inputs are right: it went on"
    assert reproduce() == reproduce("") == (2, "usage: reproduce.sh NEW_FOLDER\n")
    assert reproduce(out) == (2, f"{out}: exists already. Name a new folder\n")
    odd.write_text("other labels")
    assert reproduce(tmp_path / "new") == (2, f"porter: error: {odd}: not the labels of the original run\n")
    odd.unlink()
    assert "no such file. Use --input labels=PATH with its path" in reproduce(tmp_path / "new")[1]
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("sh", "dirname"):
        (bare / tool).symlink_to(str(shutil.which(tool)))
    assert reproduce(tmp_path / "new", path=str(bare))[0] == 3


def test_failures_beyond_those_in_the_record_are_pointed_to(finished: Path) -> None:
    record = read_record(finished)
    assert record.data is not None
    pointer = "Only the first are listed; `predictions.csv` has all"
    assert pointer not in render("README.md.j2", record)
    many = replace(record, data=replace(record.data, failed=101))
    assert pointer in render("README.md.j2", many)


def test_what_was_not_measured_says_so(tmp_path: Path) -> None:
    request = RunRequest(model="tiny")
    blank = RunRecord(
        porter="0", created="then", command="porter export", request=request, commands=commands_of(request, Path("o"))
    )
    document = render("README.md.j2", blank)
    for line in ("Parity of the artefacts with the reference.", "Accuracy.", "Speed of pure inference."):
        assert f"- {line}" in document
    assert "Accuracy: not measured." in document and "Pure inference: not measured." in document


def test_an_undefined_name_is_an_error_with_its_place(monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    import jinja2

    broken = jinja2.DictLoader({"README.md.j2": "{{ run.speed_of_light }}"})
    monkeypatch.setattr(jinja2, "PackageLoader", lambda *_: broken)
    monkeypatch.setattr(templates, "environment", templates.environment.__wrapped__)  # those that are kept are whole
    with pytest.raises(BadInput, match=r"README\.md\.j2.*speed_of_light"):
        render("README.md.j2", read_record(finished))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a run record"),
        (b"{}", "not a run record"),
        (b"\xff\xfe", "not a run record"),
        (b'{"schema_version": 99}', "schema_version is 99"),
        (b'{"schema_version": %d, "porter": 3}' % SCHEMA_VERSION, "not a run record"),
        (record_with("threads", -1), "threads must be at least 1"),
        (record_with("batch_sizes", []), "batch_sizes must be at least 1"),
        (b"[" * 100_000, "not a run record"),
    ],
)
def test_a_bad_record_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(BadInput, match=message) as caught:
        read_record(tmp_path)
    assert str(tmp_path / "run.json") in str(caught.value) and "\n" not in str(caught.value)


def test_formatting() -> None:
    assert num(None) == "not measured" and num(-0.001) == "0.00" and num(1.005, 1) == "1.0"
    assert text("a|b\n<c>") == "a\\|b &lt;c&gt;"
    assert code("a`b") == "``a`b``" and code("`") == "`` ` ``"
    assert link("https://x.org/a_b|c") == "<https://x.org/a_b%7Cc>"
    assert link("javascript:alert(1)") == "javascript:alert(1)" and link("https://x <b>") == "https://x &lt;b&gt;"
    assert shell("a \u202e\n```") == "````sh\na \\u202e\n```\n````"


def broken_rows(document: str) -> list[str]:
    """Rows of another width than their table's head, and tables without blank lines around them."""
    broken, width, before = [], 0, ""
    for line in document.splitlines():
        if not line.startswith("|"):
            broken += [line] if width and line else []
            width, before = 0, line
            continue
        broken += [line] if not width and before else []
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        width = width or cells
        if cells != width:
            broken.append(line)
    return broken


def test_a_model_without_a_report_of_renames_still_renders(tmp_path: Path) -> None:
    report = LoadReport(format="x", safe=True, weights="", expected=1, loaded=1, parameters=1, forgiven=("a",))
    request = RunRequest(model="tiny")
    commands = commands_of(request, Path("o"))
    record = RunRecord(porter="0", created="then", command="c", request=request, load=report, commands=commands)
    assert "1 absent `num_batches_tracked` forgiven" in render("README.md.j2", record)

"""reproduce.sh: it names no path of the machine that made it, and makes the run again wherever its inputs lie."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import write_photos

from porter.documents.deliver import deliver
from porter.documents.placeholders import as_script
from porter.runfolder.commands import run_arguments
from porter.runfolder.record_file import read_record

DOCUMENTS = ("README.md", "README.zh.md", "report.html", "reproduce.sh")
ABSOLUTE = re.compile(r"(?<![\w./:<>)\\-])(?:~|/[\w.-]+)(?:/[\w .-]+)+")
NO_PATHS = re.compile(
    r"^#!.*$|/dev/null|data:[\w/]+;base64,[\w+/=]+|https?://\S+|</?\w[^>]*>|<script>.*</script>", re.MULTILINE
)
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def porter(*arguments: str, cwd: Path) -> None:
    command = [sys.executable, "-m", "porter", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in `there/out` of files that were all named by absolute paths, which are then moved to `here`."""
    base = tmp_path_factory.mktemp("script")
    there = base / "there"
    labels = write_photos(there / "val", [0, 1, 2] * 4)
    shutil.copy(Path(__file__).with_name("one_file.py"), there / "mine.py")
    (there / "host.yaml").write_text("chip: one of ours\n")
    (there / "own").mkdir()
    (there / "own/README.md.j2").write_text('{% extends "porter/README.md.j2" %}')
    given = ["--data", str(there / "val"), "--labels", str(labels), "--plugin", str(there / "mine.py")]
    more = ["--host-facts", str(there / "host.yaml"), "--template", str(there / "own")]
    quick = ["--batch-sizes", "1", "--bench-seconds", "0", "--threads", "1"]
    porter("run", "one", *given, *more, *quick, "--out", str(there / "out"), cwd=base)
    there.rename(base / "here")
    return base / "here"


def reproduce(made: Path, new: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    given = {
        "DATA": str(made / "val"),
        "LABELS": str(made / "labels.txt"),
        "PLUGIN": str(made / "mine.py"),
        "HOST_FACTS": str(made / "host.yaml"),
    }
    command = ["sh", str(made / "out/reproduce.sh"), str(new)]
    environment = {**os.environ, "PATH": PATH, **given, **changed}
    return subprocess.run(command, cwd=new.parent, env=environment, capture_output=True, text=True, check=False)


def paths_in(text: str) -> list[str]:
    """What looks like a path from the root or from a home."""
    return ABSOLUTE.findall(NO_PATHS.sub(" ", text))


def test_no_document_names_a_path_from_the_root(made: Path) -> None:
    for name in DOCUMENTS:
        text = (made / "out" / name).read_text(encoding="utf-8")
        assert str(made.parent) not in text and str(Path.home()) + "/" not in text, name
        assert paths_in(text) == [], name


def test_a_path_would_be_found() -> None:
    for line in ("--data /srv/val x", 'DATA="/srv/a/val"', "from `~/val/x`", "in (/a/b.txt)", "--option a.b=/opt/x/y"):
        assert len(paths_in(line)) == 1, line
    assert paths_in("#!/bin/sh\nimages/s 2>/dev/null https://a.b/c/d and/or <a href='x/y'></a>") == []


def test_the_script_makes_the_run_again_from_files_that_were_moved(made: Path, tmp_path: Path) -> None:
    again = reproduce(made, tmp_path / "again")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "inputs: those of the record\n" in again.stdout and again.stdout.endswith("\nReproduced.\n")
    assert (tmp_path / "again/predictions.csv").read_bytes() == (made / "out/predictions.csv").read_bytes()
    for name in DOCUMENTS:
        assert paths_in((tmp_path / "again" / name).read_text(encoding="utf-8")) == [], name


def test_what_is_not_set_is_named_with_its_meaning(made: Path, tmp_path: Path) -> None:
    script = (made / "out/reproduce.sh").read_text(encoding="utf-8")
    usage = "# Usage: DATA=… LABELS=… HOST_FACTS=… PLUGIN=… ./reproduce.sh NEW_FOLDER\n"
    assert usage in script and "#   DATA: the folder of images\n" in script
    missing = reproduce(made, tmp_path / "new", LABELS="")
    assert (missing.returncode, missing.stderr) == (2, "set LABELS: the labels\n")


def test_another_input_is_named_where_it_lies_now(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("a.jpg 0\n")
    refused = reproduce(made, tmp_path / "new", LABELS=str(other))
    assert refused.returncode == 2 and not (tmp_path / "new").exists()
    assert refused.stderr == f"porter: error: {other}: not the labels of the original run\n"


def test_each_of_several_files_has_its_variable(made: Path, tmp_path: Path) -> None:
    record = read_record(made / "out")
    options = ("one.cache=/srv/cache", "one.depth=3")
    request = replace(record.request, plugin_files=("/srv/a.py", "/srv/b.py"), options=options)
    script = as_script(replace(record, request=request), ["run", *run_arguments(request)])
    assert '--option one.cache="$OPTION" --option one.depth=3' in script.command
    assert '--plugin "$PLUGIN" --plugin "$PLUGIN_2"' in script.command
    assert {"OPTION", "PLUGIN", "PLUGIN_2"} <= {name for name, _ in script.variables}
    deliver(tmp_path, replace(record, request=request))
    assert paths_in((tmp_path / "reproduce.sh").read_text(encoding="utf-8")) == []
    assert subprocess.run(["sh", "-n", tmp_path / "reproduce.sh"], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--input", "data=x"), "--input data: the run was given no such input. Its inputs: labels"),
        (("--input", "labels"), "'labels' is not ROLE=PATH"),
        (("out", "--input", "labels=labels.txt"), "--input: only with --reproduce and without SECOND"),
    ],
)
def test_an_input_that_is_none_is_refused(made: Path, arguments: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-m", "porter", "compare", "--reproduce", "out", *arguments]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and says in done.stderr

"""Run records that somebody edited, cut or forged: `out` holds a good run, of which `run.json` is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.case import Case, Content
from corpus.good import YAML
from porter.records.record import SCHEMA_VERSION

REPORT = "report out"


def _record(change: Callable[[dict[str, Any]], object]) -> dict[str, Content]:
    """out/run.json with one change. The runner lays the good one at that place first."""

    def edit(path: Path) -> None:
        document = json.loads((path.parent / "run.good").read_text())
        change(document)
        path.write_text(json.dumps(document))

    return {"out/run.json": edit}


def _raw(content: str | bytes) -> dict[str, Content]:
    return {"out/run.json": content}


def _artefact(name: str, value: object) -> dict[str, Content]:
    return _record(lambda d: d["artefacts"][0].update({name: value}))


CASES = [
    Case(name="compare: no second run", command="compare out val", says=r"val/run\.json: no run record\. Create"),
    Case(
        name="compare: a second record that is none",
        command="compare out val",
        says="val/run.json: not a run record",
        files={"val/run.json": "[]"},
    ),
    Case(
        name="none",
        command="report val",
        says=r"val/run\.json: no run record\. Create one with `porter run MODEL --out val`",
    ),
    Case(name="empty", command=REPORT, says="out/run.json: not a run record", files=_raw("")),
    Case(name="text", command=REPORT, says="out/run.json: not a run record", files=_raw("not json")),
    Case(name="a list", command=REPORT, says="not a run record: Expected `object`, got `array`", files=_raw("[]")),
    Case(
        name="ten thousand deep",
        command=REPORT,
        says="not a run record",
        files=_raw('{"schema_version": ' + "[" * 100_000),
    ),
    Case(
        name="not UTF-8",
        command=REPORT,
        says="not a run record",
        files=_raw(b'{"schema_version": %d, "porter": "\xff"}' % SCHEMA_VERSION),
    ),
    *(
        Case(
            name=f"{age} schema",
            command=REPORT,
            says=f"schema_version is {version}, this porter reads {SCHEMA_VERSION}. Read it with the porter that wrote",
            files=_record(lambda d, version=version: d.update(schema_version=version)),  # type: ignore[misc]
        )
        for age, version in (("an older", SCHEMA_VERSION - 1), ("a newer", SCHEMA_VERSION + 1))
    ),
    Case(
        name="a field missing",
        command=REPORT,
        says="not a run record: .*missing required field `request`",
        files=_record(lambda d: d.pop("request")),
    ),
    Case(
        name="text for a number",
        command=REPORT,
        says=r"not a run record: Expected .*`\$.data.listed`",
        files=_record(lambda d: d["data"].update(listed="nine")),
    ),
    Case(
        name="a number beyond floats",
        command=REPORT,
        says="not a run record",
        files=_record(lambda d: d["request"].update(max_drop=10**400)),
    ),
    Case(
        name="a count below one",
        command=REPORT,
        says="not a run record: threads must be at least 1",
        files=_record(lambda d: d["request"].update(threads=0)),
    ),
    Case(name="a NUL in a path", command=REPORT, says="run.json", files=_artefact("path", "models/a\0.onnx")),
    Case(
        name="an absolute path",
        command=REPORT,
        says="'/etc/passwd' leads out of the run folder",
        files=_artefact("path", "/etc/passwd"),
    ),
    Case(
        name="a path that leads out",
        command=REPORT,
        says="'models/../../tiny.onnx' leads out of the run folder",
        files=_artefact("path", "models/../../tiny.onnx"),
    ),
    Case(
        name="an artefact that is a link out",
        command="bench --out out",
        says="models/link.onnx' leads out of the run folder",
        files={
            **_artefact("path", "models/link.onnx"),
            "out/models/link.onnx": lambda p: p.symlink_to("../../tiny.onnx"),
        },
    ),
    Case(
        name="a task's file that leads out",
        command=REPORT,
        says="'../labels.txt' leads out of the run folder",
        files=_record(lambda d: d.update(accuracy_files=["../labels.txt"])),
    ),
    Case(
        name="an exported file that leads out",
        command=REPORT,
        says="'../tiny.onnx' leads out of the run folder",
        files=_record(lambda d: d["export"].update(path="../tiny.onnx")),
    ),
    Case(
        name="a model that no plugin offers",
        command="verify --out out",
        says="unknown model 'nobody'",
        files=_record(lambda d: d["request"].update(model="nobody")),
    ),
    Case(
        name="a runtime that no plugin offers",
        command="bench --out out",
        code=3,
        says="unknown runtime 'nobody'",
        files=_artefact("runtime", "nobody"),
    ),
    Case(
        name="an artefact changed",
        command="evaluate --out out",
        says=r"models/onnx_tiny\.onnx: changed after this run built",
        files={"out/models/onnx_tiny.onnx": b"changed"},
    ),
    Case(
        name="an artefact gone",
        command="evaluate --out out",
        says="models/absent.onnx",
        files=_artefact("path", "models/absent.onnx"),
    ),
    Case(
        name="a config changed under it",
        command="evaluate --out out",
        says=r"tiny\.yaml: changed during this run\. Start",
        files={"tiny.yaml": "# changed\n" + YAML},
    ),
    Case(
        name="a template for a name",
        command=REPORT,
        code=0,
        leaves=("README.md",),
        says="out/README.md",
        files=_record(lambda d: d["model"].update(title="{{ 7*7 }}{% raw %}{0.__class__}%s")),
    ),
    Case(
        name="markup for a name",
        command=REPORT,
        code=0,
        leaves=("README.md",),
        says="out/README.md",
        files=_record(lambda d: d["model"].update(title="<script>alert(1)</script>](javascript:x)")),
    ),
    Case(
        name="terminal controls for a name",
        command=REPORT,
        code=0,
        leaves=("README.md",),
        says="out/README.md",
        files=_record(lambda d: d["model"].update(title="\x1b]0;owned\x07\u202egnp", description="a\nb")),
    ),
    Case(
        name="a shell's words everywhere",
        command=REPORT,
        code=0,
        leaves=("README.md", "reproduce.sh"),
        says="out/README.md",
        files=_record(lambda d: _shell(d)),
    ),
]


def _shell(document: dict[str, Any]) -> None:
    """Commands in every field that reproduce.sh is made from."""
    evil = "\"'; touch canary; $(touch canary) `touch canary`\ntouch canary #"
    document["request"].update(data=evil, labels=evil, provider=evil, runtimes=[evil], soc_version=evil)
    document["accuracy_files"] = [evil]
    for entry in document["inputs"]:
        entry.update(shipped=False, path=evil, sha256=evil)

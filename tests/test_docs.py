"""The documentation is current: pages made from the code, links, and what is said of the files of a run."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import SPEC, start, write_photos

from porter.builtin.classification import Classification
from porter.errors import ExitCode
from porter.files.limits import BYTES, COUNTS, in_words
from porter.pipeline.evaluation.shapes import NONFINITE, OK, UNREADABLE
from porter.records.evaluation import Metric
from porter.records.record import RunRecord
from porter_ascend.plugin import Ascend

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OF_PLUGINS = [*ROOT.glob("plugins/*/README.md"), *ROOT.glob("plugins/*/docs/*.md")]
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", *OF_PLUGINS])
MADE = ("hooks.md", "api.md", "cli.md", "run-record.md", "run.schema.json", "json-output.md")


def generate(docs: Path, *arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(docs / "generate.py"), *arguments]
    variables = {**os.environ, "PYTHONHASHSEED": seed, "COLUMNS": str(40 + int(seed))}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_the_pages_made_from_the_code_are_current() -> None:
    done = generate(DOCS, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_they_are_the_same_whenever_they_are_made(tmp_path: Path) -> None:
    """Whatever the hash seed and the width of the terminal are."""
    docs = tmp_path / "docs"
    shutil.copytree(DOCS / "generator", docs / "generator")
    shutil.copy(DOCS / "generate.py", docs)
    made = []
    for seed in ("1", "77"):
        shutil.rmtree(docs / "reference", ignore_errors=True)
        assert generate(docs, seed=seed).returncode == 0
        made.append([(docs / "reference" / name).read_bytes() for name in MADE])
    assert made[0] == made[1]


def test_a_stale_page_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("__pycache__"))
    assert generate(docs).returncode == 0
    page = docs / "reference/cli.md"
    page.write_text("old")
    done = generate(docs, "--check")
    assert done.returncode == 1 and str(page) in done.stdout and done.stdout.count("\n") == 1
    assert page.read_text() == "old"
    assert generate(docs, "--chek").returncode == 2


@pytest.mark.parametrize("name", ["hooks.md", "api.md", "run-record.md", "json-output.md"])
def test_every_field_has_its_meaning(name: str) -> None:
    text = (DOCS / "reference" / name).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


def test_the_schema_describes_every_field_of_the_record() -> None:
    schema = json.loads((DOCS / "reference/run.schema.json").read_text(encoding="utf-8"))
    assert set(schema["$defs"]["RunRecord"]["properties"]) == set(RunRecord.__dataclass_fields__)
    assert schema["$ref"] == "#/$defs/RunRecord"


# --- docs/reference/formats.md ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def formats() -> str:
    return (DOCS / "reference/formats.md").read_text(encoding="utf-8")


def test_the_files_of_a_run_are_documented(tmp_path: Path, formats: str) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    out = tmp_path / "out"
    run = start(out, tmp_path / "val", labels, batch_sizes=(1,))
    assert run.everything() is ExitCode.OK
    run.preprocess()
    run.infer()
    for path in out.iterdir():
        assert f"| `{path.name}{'/' if path.is_dir() else ''}` |" in formats
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        columns = next(csv.reader(stream))
    own = len(Classification.columns)
    documented = re.findall(r"^\| `(\w+)` \| ", formats.split("## predictions.csv")[1], re.MULTILINE)
    assert documented[: len(columns) - own] == columns[:-own]
    assert "`class1` … `class5`" in formats and columns[-own:] == list(Classification.columns)
    head, entry = (json.loads(line[9:]) for line in (out / "tensors/index.jsonl").read_text("utf-8").splitlines()[:2])
    assert all(f"`{name}`" in formats for name in (*head, *entry))


def test_the_statuses_are_documented(formats: str) -> None:
    assert all(f"| `{status}` |" in formats for status in (OK, UNREADABLE, NONFINITE))


def test_result_json_is_as_documented(formats: str) -> None:
    metrics = [
        Metric(name=f"top{k}", title=f"Top-{k}", value=100 * hits / 8, count=8, hits=hits)
        for k, hits in enumerate((7, 8, 8), start=1)
    ]
    [documented] = re.findall(r"```json\n(.*?)```", formats, re.DOTALL)
    assert json.loads(Ascend().documents(metrics, SPEC)["result.json"]) == json.loads(documented)


def test_the_table_of_limits_is_the_code() -> None:
    page = (DOCS / "reference/formats.md").read_text(encoding="utf-8")
    section = page.split("## Limits\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    bytes_of = [[what, in_words(count)] for what, count in BYTES.items()]
    assert rows == [*bytes_of, *([what, f"{count:,}"] for what, count in COUNTS.items())]

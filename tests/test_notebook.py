"""docs/tutorial-notebook.ipynb: its cells run in order in a fresh process, and print what the notebook shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pages import DOCS, blocks, explain, write_files

NOTEBOOK, PAGE = DOCS / "tutorial-notebook.ipynb", DOCS / "how-to/use-from-python.md"
PHOTO = DOCS.parent / "plugins/hrnet/src/porter_hrnet/sample/val/sample_0001.jpg"
RUNNER = """
import ast, contextlib, io, json, sys
shown, names = [], {}
for source in json.load(sys.stdin):
    tree, last = ast.parse(source), None
    if isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(last, "cell", "eval"), names)
    html = value._repr_html_() if hasattr(value, "_repr_html_") else ""
    shown.append({"printed": printed.getvalue(), "value": "" if value is None else repr(value), "html": html})
print(json.dumps(shown))
"""
"""A kernel of one process: it runs the cells in one namespace, and says what each printed and came to."""


def cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def run(command: list[str], folder: Path, given: str = "") -> str:
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_cells_run_and_print_what_is_shown(tmp_path: Path) -> None:
    sources = json.dumps(["".join(cell["source"]) for cell in cells()])
    found = json.loads(run([sys.executable, "-c", RUNNER], tmp_path, sources).splitlines()[-1])
    printed = 0
    for cell, one in zip(cells(), found, strict=True):
        kept = [out for out in cell["outputs"] if out["output_type"] == "stream"]
        lines = "".join("".join(out["text"]) for out in kept).splitlines()
        assert not explain(lines, one["printed"].splitlines()), (cell["source"], one)
        printed += len(lines)
        results = [out["data"] for out in cell["outputs"] if out["output_type"] == "execute_result"]
        assert [bool(one["value"])] * len(results) == [True] * len(results)
        assert [bool(one["html"])] * len(results) == ["text/html" in data for data in results]
    assert printed > 8 and "<table>" in found[0]["html"]


def test_it_is_small_and_whole() -> None:
    assert NOTEBOOK.stat().st_size < 60_000
    assert all(cell["execution_count"] == place for place, cell in enumerate(cells(), start=1))
    kinds = {out["output_type"] for cell in cells() for out in cell["outputs"]}
    assert kinds == {"stream", "execute_result"}


def test_the_page_about_python_does_what_it_says(tmp_path: Path) -> None:
    assert write_files(PAGE, tmp_path) == ["port.py", "predict.py"]
    lines = run([sys.executable, "port.py"], tmp_path).splitlines()
    assert lines[0] in ("pass True", "unproven True") and [line.split()[0] for line in lines[1:]] == [
        *("reference", "onnxruntime-fp32", "onnxruntime-int8")
    ]
    assert run([sys.executable, "predict.py", str(PHOTO)], tmp_path) == f"{PHOTO} retina\n"
    [commands] = [block.text for block in blocks(PAGE) if block.language == "sh"]
    (tmp_path / "photo.jpg").write_bytes(PHOTO.read_bytes())
    (tmp_path / "other.jpg").write_bytes(PHOTO.read_bytes())
    for line in commands.splitlines():
        name, *words = line.split()
        assert name == "porter"
        assert "retina" in run([sys.executable, "-m", "porter", *words], tmp_path)

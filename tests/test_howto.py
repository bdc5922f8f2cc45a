"""The how-to pages: their files, written as they stand, pass the pages' own tests; the commands print what is shown."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pages import DOCS, blocks, commands, explain, write_files
from tiny import start, write_photos

from porter.cli.main import main
from porter.hosting.manager import create_registry

PAGES = sorted((DOCS / "how-to").glob("*.md"))
MODELS_PAGE = DOCS / "how-to/find-where-two-models-part.md"
TEMPLATE_PAGE = DOCS / "how-to/override-the-delivery-template.md"
COMPARE_PAGE = DOCS / "how-to/compare-two-runs.md"
GO_ON_PAGE = DOCS / "how-to/go-on-after-an-interruption.md"
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def test_every_file_of_a_page_works(tmp_path: Path) -> None:
    """All pages in one pytest, since each would import torch anew."""
    tested = [page for page in PAGES if any(Path(t).name.startswith("test_") for t in write_files(page, tmp_path))]
    assert len(tested) >= 3
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-W", "error::pytest.PytestWarning", "."],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b10 passed", done.stdout), done.stdout


def test_the_template_page_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(TEMPLATE_PAGE, tmp_path)
    start(tmp_path / "out", tmp_path / "val", write_photos(tmp_path / "val", [0, 1, 2])).everything()
    monkeypatch.chdir(tmp_path)
    shown = [one for block in blocks(TEMPLATE_PAGE) if block.language == "console" for one in commands(block)]
    assert shown
    for command, output in shown:
        with pytest.raises(SystemExit) as stopped:
            main(shlex.split(command)[1:])
        assert stopped.value.code == 0
        assert capsys.readouterr().out.splitlines() == output
    document = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert document.startswith("# Strongest channel\n")
    assert "Delivered by Example Ltd. to " in document
    assert "## Environment" not in document and "## Performance" in document
    assert "pytorch fp32 (reference): any image but the 3 listed." in document
    chinese = (tmp_path / "out/README.zh.md").read_text(encoding="utf-8")
    assert "由示例公司交付，运行于 " in chinese and "## 模型简介" in chinese
    assert "pytorch fp32（参考模型）：所列 3 张以外的图片。" in chinese


def test_the_page_on_two_models_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = create_registry()
    if "openvino" not in registry.runtimes() or "bf16" not in registry.status("openvino").precisions:
        pytest.skip("no runtime here computes in bf16")
    write_files(MODELS_PAGE, tmp_path)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of an exporter that it would rather not have used
        runpy.run_path("make_models.py")
    capsys.readouterr()
    shown = [one for block in blocks(MODELS_PAGE) if block.language == "console" for one in commands(block)]
    assert len(shown) == 4
    for command, output in shown:
        with pytest.raises(SystemExit) as stopped:
            main(shlex.split(command)[1:])
        assert stopped.value.code == int(output[0].startswith("model"))
        assert not explain(output, capsys.readouterr().out.splitlines()), command
    assert (tmp_path / "depth.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(("page", "failing"), [(COMPARE_PAGE, "compare before after"), (GO_ON_PAGE, None)])
def test_the_pages_on_run_folders_print_what_they_show(
    page: Path, failing: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("make_files.py")
    shown = [one for block in blocks(page) if block.language == "console" for one in commands(block)]
    assert len(shown) >= 4
    for command, output in shown:
        with pytest.raises(SystemExit) as stopped:
            main(shlex.split(command)[1:])
        printed = capsys.readouterr()
        assert stopped.value.code == int(failing is not None and failing in command), printed.err
        assert not explain(output, printed.out.splitlines()), command
    if failing is None:
        assert not (tmp_path / "out/tensors").exists() and not (tmp_path / "out/cache").exists()
    else:
        assert (tmp_path / "comparison.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_template_page_names_every_block() -> None:
    page = TEMPLATE_PAGE.read_text(encoding="utf-8")
    listed = re.search(r"The blocks of `README.md.j2` are, in order: (.*?)\.\n", page, re.DOTALL)
    assert listed is not None
    names = re.findall(r"{% block (\w+) %}", (TEMPLATES / "README.md.j2").read_text(encoding="utf-8"))
    assert re.findall(r"`(\w+)`", listed[1]) == names

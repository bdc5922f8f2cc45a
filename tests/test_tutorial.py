"""The tutorial, followed to the letter in a fresh environment: its files, changes, commands and their output."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fresh import Environment, core_wheel
from pages import DOCS, Block, blocks, commands, explain

PAGE = DOCS / "tutorial.md"
ERROR = "porter: error: "

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git applies the tutorial's changes")


def follow(block: Block, environment: Environment, folder: Path) -> None:
    """Do what one block of the tutorial says."""
    if block.title:
        (folder / block.title).write_text(block.text, encoding="utf-8")
    elif block.language == "diff":
        outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
        subprocess.run(["git", "apply", "-"], cwd=folder, env=outside, input=block.text, text=True, check=True)
    elif block.language == "console":
        for command, shown in commands(block):
            failing = "FAIL" in "".join(shown)
            error = any(line.startswith(ERROR) for line in shown)
            text = f"{command} 2>&1 >/dev/null | grep '^{ERROR}'" if error else command
            printed = environment.run(text, folder, exit_code=1 if failing else 0).splitlines()
            problem = explain(shown, printed)
            assert not problem, f"{PAGE.name}, line {block.line}: $ {command}: {problem}"
    else:
        assert block.language == "sh", f"{PAGE.name}, line {block.line}: a block that this test does not follow"


def test_the_tutorial_can_be_followed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = Environment(tmp_path / "venv", core_wheel(tmp_path_factory))
    folder = tmp_path / "work"
    folder.mkdir()
    followed = list(blocks(PAGE))
    assert len(followed) > 10
    for block in followed:
        follow(block, environment, folder)


def test_a_page_that_shows_something_else_is_found() -> None:
    printed = ["a 12.5 s", "b 100.00", "c"]
    assert explain(["a 3.1 s", "b 100.00", "c"], printed) == ""
    assert explain(["…", "c"], printed) == explain(["a 1.0 s", "…"], printed) == explain(["a…", "…"], printed) == ""
    assert explain(["a 3.1 s", "b 99.00", "c"], printed)
    assert explain(["b 100.00", "c"], printed)
    assert explain(["a 3.1 s"], printed)
    assert explain([*printed, "d"], printed)
    assert explain([], printed)
    assert explain([], []) == ""


def test_links_lead_somewhere() -> None:
    for page in (PAGE, *(DOCS / "how-to").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+\.md)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name}: {target}"

"""The page on Ascend: its commands print what it shows, and its tables are those of the script."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from pages import blocks, commands, explain, write_files

from porter import main

PAGE = Path(__file__).resolve().parents[1] / "docs/deliver-for-ascend.md"


def test_the_page_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("porter_hrnet")
    for name in ("PORTER_ASCEND_ENV", "PORTER_ASCEND_BENCHMARK", "ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)
    write_files(PAGE, tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = [one for block in blocks(PAGE) if block.language == "console" for one in commands(block)]
    assert len(shown) == 2
    for command, output in shown:
        with pytest.raises(SystemExit) as stopped:
            main(shlex.split(command)[1:])
        assert stopped.value.code == 0, command
        assert not explain(output, capsys.readouterr().out.splitlines()), command
    kit = tmp_path / "delivery/kit"
    page = PAGE.read_text(encoding="utf-8")
    for path in kit.rglob("*"):
        if path.is_file():
            place = path.relative_to(kit).as_posix()
            named = {"model": "model/NAME.onnx", "data/bin": "data/bin/IMAGE.bin"}.get(str(Path(place).parent), place)
            assert f"| `{named}` |" in page

"""Five models that no classifier of images is, each in one file as its author writes it, from `porter run` on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from authors import data
from corpus.case import Ended
from corpus.case import porter as command_line

from porter.records.record import RunRecord, State
from porter.runfolder.record_file import read_record

HERE = Path(__file__).parent / "authors"


@dataclass(frozen=True)
class Author:
    """One file, and what it is run on."""

    file: str
    model: str
    write: Callable[[Path], None]


AUTHORS = {
    one.model: one
    for one in (
        Author("detector.py", "tiles", data.write_tiles),
        Author("two_inputs.py", "exposed", data.write_exposures),
        Author("text.py", "opinion", data.write_reviews),
        Author("sound.py", "tone", data.write_tones),
        Author("top_down.py", "dots", data.write_people),
    )
}
Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """`porter COMMAND` on one author's model, with its data and two runtimes."""

    def command(author: Author, stage: str = "run", *more: str, plugin: Path | None = None) -> Ended:
        if not (tmp_path / "val").exists():
            author.write(tmp_path)
        words = [stage, author.model, "--plugin", str(plugin or HERE / author.file), "--out", str(tmp_path / "out")]
        if stage == "run":
            words += ["--data", str(tmp_path / "val"), "--labels", str(tmp_path / "labels")]
            words += [
                "--batch-sizes",
                "1,3",
                "--bench-seconds",
                "0.05",
                "--runtime",
                "onnxruntime",
                "--runtime",
                "openvino",
            ]
        return command_line(shlex.join([*words, *more]), capfd.readouterr)

    return command


def record(folder: Path) -> RunRecord:
    return read_record(folder / "out")


@pytest.mark.parametrize("author", AUTHORS.values(), ids=AUTHORS)
def test_under_120_lines_a_model_of_any_kind_is_delivered(author: Author, run: Run, tmp_path: Path) -> None:
    assert len((HERE / author.file).read_text().splitlines()) < 120
    ended = run(author)
    assert ended.code == 0, ended.err
    found = record(tmp_path)
    assert [one.name for one in found.evaluations] == ["reference", "onnxruntime-fp32", "openvino-fp32"]
    assert [one.metrics[0].value for one in found.evaluations] == [100.0] * 3
    assert {one.name: one.state for one in found.verdicts}["parity"] is State.PASS
    assert {one.name: one.state for one in found.verdicts}["preprocessing"] is State.PASS
    assert {one.batch for one in found.performance} == {1, 3}
    for name in ("README.md", "README.zh.md", "report.html"):
        assert "100.00" in (tmp_path / "out" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("author", AUTHORS.values(), ids=AUTHORS)
def test_stages_alone_come_to_the_same(author: Author, run: Run, tmp_path: Path) -> None:
    run(author)
    for stage in ("preprocess", "infer", "evaluate"):
        assert run(author, stage).code == 0
    found = record(tmp_path)
    assert [one.metrics[0].value for one in found.evaluations] == [100.0] * 3
    assert {one.end_to_end.source for one in found.evaluations if one.end_to_end} == {"outputs"}


@pytest.mark.parametrize(
    ("model", "right", "wrong", "verdict"),
    [
        ("tiles", "corner.float() + TILE, score", "corner.float() - TILE, score", ""),
        ("tiles", "corners = boxes[:, :2]", "corners = boxes[:, 1::-1][:, :2]", "accuracy"),
        (
            "exposed",
            "image = pixels[:16, :16].astype(np.float32)",
            "image = 0.5 * pixels[:16, :16].astype(np.float32)",
            "preprocessing",
        ),
        ("opinion", "np.array(known + [0]", "np.array(known[::-1] + [0]", "preprocessing"),
        ("tone", "sample.astype(np.float32) / np.float32(32768)", "sample.astype(np.float32)", "preprocessing"),
        ("dots", "(x, y) + turn", "(y, x) + turn", "accuracy"),
    ],
)
def test_a_wrong_port_of_them_shows(model: str, right: str, wrong: str, verdict: str, run: Run, tmp_path: Path) -> None:
    """A fault of the plugin's own code, in both the reference and the artefacts or in the preprocessing."""
    author = AUTHORS[model]
    text = (HERE / author.file).read_text()
    assert right in text
    plugin = tmp_path / author.file
    plugin.write_text(text.replace(right, wrong))
    ended = run(author, plugin=plugin)
    if not verdict:  # nothing reads what was changed
        assert ended.code == 0
        return
    found = record(tmp_path)
    if verdict == "accuracy":
        assert found.evaluations[0].metrics[0].value < 60
    else:
        assert ended.code == 1
        assert {one.name: one.state for one in found.verdicts}[verdict] is State.FAIL


def test_one_damaged_sound_is_wrong_and_named(run: Run, tmp_path: Path) -> None:
    author = AUTHORS["tone"]
    author.write(tmp_path)
    (tmp_path / "val" / "low-00.wav").write_bytes(b"no sound")
    run(author)
    reference = record(tmp_path).evaluations[0]
    assert reference.unreadable == 1
    assert reference.failures[0].id == "low-00.wav"
    assert "no wave file" in str(reference.failures[0].reason)


def test_a_file_that_the_item_does_not_name_is_refused(run: Run, tmp_path: Path) -> None:
    author = AUTHORS["exposed"]
    plugin = tmp_path / author.file
    text = (HERE / author.file).read_text()
    plugin.write_text(
        text.replace('others=(f"{name[:-4]}.json",)', "others=()").replace("item.others[0]", 'item.id[:-4] + ".json"')
    )
    ended = run(author, plugin=plugin)
    assert ended.code == 2
    assert "name it in Item.path or Item.others" in ended.error


def test_a_changed_second_file_is_noticed(run: Run, tmp_path: Path) -> None:
    """A journal holds only as long as every file of a sample does."""
    author = AUTHORS["exposed"]
    run(author)
    place = tmp_path / "val" / "05.json"
    place.write_text(json.dumps({"gain": 1.0, "bias": 0.5}))
    ended = run(author, "run")
    assert record(tmp_path).evaluations[0].end_to_end is not None
    assert record(tmp_path).evaluations[0].end_to_end.resumed < 24, ended.out

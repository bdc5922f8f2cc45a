"""`porter cache`: what is kept is named for what it is, and pruning takes nothing that cannot be made again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from test_array_folder import Counting
from tiny import TinyPlugin, start, write_photos

from porter.cli.main import main
from porter.errors import BadInput
from porter.files.sealed import blobs
from porter.pipeline.kept.caches import Caches
from porter.pipeline.run import Run
from porter.records.cached import Cached, CacheKind, CacheReport, CacheState
from porter.runfolder.layout import INDEX
from porter.runfolder.lock import FolderLock

LABELS = [0, 1, 2] * 4


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    labels = write_photos(tmp_path / "val", LABELS)
    return tmp_path / "val", labels


@pytest.fixture
def run(tmp_path: Path, photos: tuple[Path, Path]) -> Run:
    """A run with something of every kind."""
    run = start(tmp_path / "out", *photos, batch=4, plugin=Counting())
    run.everything()
    run.preprocess()
    run.infer()
    [artefact] = run.record.artefacts
    with blobs(tmp_path / "out/cache/tool/x", f"1\n{artefact.sha256}") as place:
        assert place is not None
        (place / "1.blob").write_bytes(b"compiled")
    return run


def look(run: Run) -> dict[str, Cached]:
    return {one.path: one for one in Caches(run.job, run.record)}


def test_everything_is_named_and_valid(run: Run) -> None:
    found = look(run)
    assert {path: one.kind for path, one in found.items()} == {
        "cache/predictions/reference.jsonl": CacheKind.PREDICTIONS,
        "cache/predictions/onnxruntime-fp32.jsonl": CacheKind.PREDICTIONS,
        "cache/reference-outputs.jsonl": CacheKind.TRACES,
        "cache/tool/x": CacheKind.COMPILED,
        "tensors": CacheKind.TENSORS,
        "outputs/reference": CacheKind.OUTPUTS,
        "outputs/onnxruntime-fp32": CacheKind.OUTPUTS,
    }
    assert {(one.state, one.reason) for one in found.values()} == {(CacheState.VALID, "")}
    assert {one.entries for one in found.values()} == {len(LABELS), None}
    assert all(one.size_bytes > 0 and one.modified for one in found.values())


def test_the_journal_of_an_evaluation_on_tensors_is_valid_as_well(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos, batch=4, plugin=Counting())
    run.export(), run.preprocess(), run.evaluate()
    assert run.record.evaluations[0].end_to_end is not None and run.record.evaluations[0].end_to_end.source == "tensors"
    assert {one.state for one in look(run).values()} == {CacheState.VALID}


def test_what_an_interruption_left_is_valid_and_not_whole(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos, batch=4, plugin=Counting(batch=3))
    run.export()
    with pytest.raises(KeyboardInterrupt):
        run.evaluate()
    journal = tmp_path / "out/cache/predictions/reference.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    one = look(run)["cache/predictions/reference.jsonl"]
    assert (one.state, one.entries) == (CacheState.VALID, 4)
    assert one.reason == "4 of 12 images: the same command resumes"


@pytest.mark.parametrize("what", ["another option", "another plugin", "another model"])
def test_what_no_longer_belongs_is_stale(tmp_path: Path, photos: tuple[Path, Path], run: Run, what: str) -> None:
    options = {"limit": 6} if what == "another option" else {}
    plugin = TinyPlugin() if what == "another plugin" else Counting()
    again = start(tmp_path / "out", *photos, batch=4, plugin=plugin, fresh=False, **options)
    if what == "another model":
        artefacts = tuple(replace(one, sha256="0" * 64) for one in run.record.artefacts)
        again.record = replace(again.record, artefacts=artefacts)
    elif what == "another option":
        again.record = replace(run.record, request=again.record.request)
    states = {path: one.state for path, one in look(again).items()}
    stale = {path for path, state in states.items() if state is CacheState.STALE}
    everything = set(states)
    assert (
        stale
        == {
            "another option": everything - {"cache/tool/x"},
            "another plugin": everything - {"cache/tool/x"},
            "another model": {"cache/predictions/onnxruntime-fp32.jsonl", "outputs/onnxruntime-fp32", "cache/tool/x"},
        }[what]
    )


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_corrupted_file_is_shown_as_such_and_pruned(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    damaged(out / "cache/predictions/reference.jsonl")
    (out / "cache/predictions/onnxruntime-fp32.jsonl").write_bytes(b"")
    (out / "cache/reference-outputs.jsonl").write_bytes(b"torn")
    damaged(out / "cache/tool/x/1.blob")
    damaged(out / "tensors/00000003.npz")
    (out / "outputs/reference" / INDEX).write_bytes(b"\xff\xfe")
    (out / "outputs/onnxruntime-fp32/00000001.npz").unlink()
    caches = Caches(run.job, run.record)
    found = tuple(caches)
    assert {one.state for one in found} == {CacheState.DAMAGED} and all(one.reason for one in found)
    reasons = {one.path: one.reason for one in found}
    assert reasons["tensors"] == "00000003.npz was changed after it was written"
    assert "line" in reasons["cache/predictions/reference.jsonl"]
    caches.remove(found)
    assert look(run) == {} and not (out / "cache").exists() and not (out / "outputs").exists()


def test_files_that_porter_did_not_write_stay(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    mine = [out / name for name in ("tensors/notes.txt", "outputs/reference/mine.npy", "cache/README")]
    for path in mine:
        path.write_text("mine")
    results = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    models = {path: path.read_bytes() for path in (out / "models").iterdir()}
    caches = Caches(run.job, run.record)
    assert {one.path: one.kind for one in caches}["cache/README"] is CacheKind.OTHER
    caches.remove(tuple(caches))
    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert {path: path.read_bytes() for path in (*results, *models)} == {**results, **models}
    left = {path for path in out.rglob("*") if path.is_file()} - set(results) - set(models)
    assert left == set(mine)


def test_a_link_that_leads_out_is_refused(tmp_path: Path, run: Run) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/outputs/away").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="leads out of the run folder"):
        Caches(run.job, run.record)


# --- the command, which finds no plugin for the model ----------------------------------------------------------------


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["cache", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code, out, err


def test_what_cannot_be_told_stays_until_all_goes(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    damaged(out / "cache/tool/x/1.blob")
    code, text, _ = call(capsys, out, "--prune")
    assert code == 0 and "removed: 1, " in text and "    cache/tool/x: damaged, not what was written\n" in text
    assert text.count("unknown model 'tiny'") == 6
    code, text, _ = call(capsys, out, "--json")
    report = msgspec.json.decode(text, type=CacheReport)
    assert code == 0 and {one.state for one in report.kept} == {CacheState.UNKNOWN} and len(report.kept) == 6
    code, text, _ = call(capsys, out, "--prune", "--all", "--json")
    assert code == 0 and len(json.loads(text)["removed"]) == 6 and json.loads(text)["kept"] == []
    assert call(capsys, out)[1] == "kept: 0, 0 bytes\n"
    assert (out / "models/tiny.onnx").exists() and (out / "run.json").exists()


def test_a_mistake_is_one_line(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    for arguments, says in {
        (tmp_path / "nowhere",): "no run record",
        (tmp_path,): "no run record",
        (out, "--all"): "--all needs --prune",
    }.items():
        code, text, err = call(capsys, *arguments)
        assert (code, text) == (2, "") and says in err and err.count("\n") == 1
    with FolderLock(out):
        code, _, err = call(capsys, out)
    assert code == 2 and "another porter uses this folder" in err

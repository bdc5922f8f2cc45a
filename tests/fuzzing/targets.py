"""Every reader that is fuzzed: what good input looks like, and what reading it may end with."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from corpus import good
from corpus.case import CANARY
from corpus.checkpoints import Touch, safetensors, tar_of_the_first_releases
from hypothesis.strategies import SearchStrategy
from PIL import Image

from fuzzing.mutations import changed_json, edited
from fuzzing.samples import AIS_LOG, AIS_SUMMARY, ATC_LOG, PERF_VISION, PURE_LOG, SCORES
from porter.builtin.classification import Classified
from porter.checkpoints.read import read_checkpoint
from porter.checkpoints.unwrap import find_weights
from porter.comparing.compare import compare_runs
from porter.comparing.comparison_page import page
from porter.comparing.predictions import read_scores
from porter.data.class_names import ClassNames
from porter.data.folders import labels_from_folders
from porter.data.label_classes import KnownClasses
from porter.data.label_file import read_label_file
from porter.data.labels import match_labels
from porter.diagnose.preprocessing.user_tensors import read_user_tensors
from porter.documents.deliver import deliver
from porter.errors import BadInput, ImageError, PorterError
from porter.files.checked_lines import line_of
from porter.files.hashes import file_digest
from porter.files.yamlfile import read_yaml
from porter.graphs.onnxfile import export_problems, facts_of, read_onnx, training_nodes
from porter.images.decode import decode
from porter.images.formats import SUFFIX_FORMATS
from porter.images.pipeline import reference_pipeline
from porter.pipeline.evaluation.journal import Journal
from porter.pipeline.evaluation.shapes import Judged, JudgedBatch
from porter.records.artefact import SessionInfo
from porter.records.manifest import Item, Manifest
from porter.records.record import OutputFile, RunRecord
from porter.records.request import RunRequest
from porter.records.spec import PreprocessSpec, TensorSpec
from porter.runfolder.layout import RECORD_NAME
from porter.runfolder.record_file import read_record
from porter_ascend import aisbench, atclog, benchmark, chip, kit, msame, om, outputs, scores

NAMES = ("0.png", "1.png", "deep/2.png")
PIPELINE = PreprocessSpec(resize=18, crop=(16, 16))


@dataclass(frozen=True)
class Target:
    """One reader."""

    seeds: Callable[[], Sequence[bytes]]
    """Valid inputs; made once."""
    read: Callable[[Path], object]
    """Reads the file at a path, in a folder of its own. A `PorterError` or `ImageError` is a right end."""
    mutated: Callable[[Sequence[bytes]], SearchStrategy[bytes]] = edited
    name: str = "input"
    """Name of the file."""
    cost: int = 1
    """How many times longer than the others it takes."""

    def check(self, data: bytes, folder: Path) -> None:
        """Read `data`; raises where it ends wrongly, makes the canary, or writes beside its folder."""
        shutil.rmtree(folder, ignore_errors=True)
        inside = folder / "inside"
        inside.mkdir(parents=True)
        (inside / self.name).write_bytes(data)
        try:
            self.read(inside / self.name)
        except (PorterError, ImageError) as error:
            text = str(error)
            assert text and len(text.splitlines()) == 1, text
        assert [path.name for path in folder.iterdir()] == ["inside"]
        assert not list(inside.rglob(CANARY))


def _config(path: Path) -> None:
    from porter_hrnet.config import read_config as read_hrnet
    from porter_onnx.config import read_config as read_onnx_config

    for read in (read_yaml, read_hrnet, read_onnx_config):
        try:
            read(path)
        except BadInput as error:
            assert str(error).isprintable(), str(error)


def _configs() -> list[bytes]:
    more = "labels: {names: [on, 010], background_class: no}\nsha256: 0123e5\n"
    more += "reference: {source: a, dataset: b, images: 9, top1: 76.8, image_pattern: 'a.*'}\n"
    return [good.YAML.encode(), (good.YAML + more).encode(), good.HRNET.encode()]


def _labels(path: Path) -> None:
    match_labels(NAMES, read_label_file(path), KnownClasses(num_classes=3, model=ClassNames(())))


def _class_map(path: Path) -> None:
    labels_from_folders(("red/a.png", "green/b.png"), 3, path)


def _images() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3)).astype(np.uint8)
    found = []
    for format in dict.fromkeys(SUFFIX_FORMATS.values()):
        for mode in ("RGB", "L"):
            stream = io.BytesIO()
            Image.fromarray(pixels).convert(mode).save(stream, format=format)
            found.append(stream.getvalue())
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", progressive=True, exif=b"Exif\0\0MM\0*" + bytes(20))
    return [*found, stream.getvalue()]


def _image(path: Path) -> None:
    reference_pipeline(decode(path.read_bytes(), "a.jpg").pixels, PIPELINE)


def _graphs() -> list[bytes]:
    from corpus.graphs import dropout, outside

    models = [good.strongest_colour() for _ in range(3)]
    outside(models[1], "../secret.bin")
    dropout(models[2])
    return [model.SerializeToString() for model in models]


def _graph(path: Path) -> None:
    from porter_onnx.config import read_config
    from porter_onnx.describe import describe

    model = read_onnx(path)
    facts = facts_of(model, path.stat().st_size)
    training_nodes(model)
    (path.parent / "tiny.yaml").write_text(good.YAML)
    spec = describe(read_config(path.parent / "tiny.yaml"), facts, path, "onnx")
    export_problems(facts, model, spec, 11, dynamic=True)


STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


def _checkpoints() -> list[bytes]:
    found = []
    for content, options in (
        ({"state_dict": STATE, "epoch": 3, "best": np.float64(76.8)}, {}),
        (STATE, {"_use_new_zipfile_serialization": False}),
        ({"model": STATE, "x": Touch()}, {}),
        ({"model": STATE, "x": Touch()}, {"_use_new_zipfile_serialization": False, "pickle_protocol": 4}),
    ):
        stream = io.BytesIO()
        torch.save(content, stream, **options)
        found.append(stream.getvalue())
    weights = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    return [*found, safetensors(weights, bytes(8)), _made(tar_of_the_first_releases)]


def _made(make: Callable[[Path], object]) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder, "made"))
        return Path(folder, "made").read_bytes()


def _checkpoint(path: Path) -> None:
    find_weights(read_checkpoint(path))


def _pickles() -> list[bytes]:
    found = []
    for archive in _checkpoints()[:3:2]:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            found.append(opened.read(next(name for name in opened.namelist() if name.endswith("data.pkl"))))
    return found


def _pickle(path: Path) -> None:
    """The pickle in a whole archive: an edit of the archive's bytes is stopped by its checksums."""
    data = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
        for number, tensor in enumerate(STATE.values()):
            archive.writestr(f"archive/data/{number}", tensor.numpy().tobytes())
    _checkpoint(path)


@cache
def _run() -> tuple[Path, bytes]:
    """A finished run of the tiny model, and its record."""
    import tempfile

    import tiny

    folder = Path(tempfile.mkdtemp(prefix="porter-fuzz-"))
    labels = tiny.write_photos(folder / "val", [0, 1, 2] * 3)
    tiny.start(folder / "out", folder / "val", labels, batch_sizes=(1,)).everything()
    record = (folder / "out" / RECORD_NAME).read_bytes()
    shutil.rmtree(folder)
    return folder, record


def _record(path: Path) -> None:
    """Every document is made from what was read; none holds what a terminal would obey."""
    folder = path.parent
    for document in deliver(folder, read_record(folder)):
        text = document.read_text(encoding="utf-8")
        assert not set(text) & set("\x1b\x00\u202e"), document
        assert "<script>alert" not in text, document


def _tables() -> list[bytes]:
    head = b"image,label,evaluation,runtime,precision,status,score,class1,score1\n"
    row = b"%d.png,1,%s,onnxruntime,fp32,ok,%d,1,0.5\n"
    return [head + b"".join(row % (k, name, k % 2) for name in (b"reference", b"a-fp32") for k in range(3))]


def _table(path: Path) -> None:
    """predictions.csv of a record that names it by its digest."""
    file = OutputFile(path=path.name, sha256=file_digest(path), size_bytes=path.stat().st_size, what="")
    record = RunRecord(porter="", created="", command="", request=RunRequest(model="tiny"), files=(file,))
    read_scores(path.parent, record)


def _compared(path: Path) -> None:
    """The record on either side of the good one."""
    other = path.parent / "other"
    other.mkdir()
    (other / RECORD_NAME).write_bytes(_run()[1])
    for first, second in ((path.parent, other), (other, path.parent)):
        text = page(compare_runs(first, second))
        assert "<script>alert" not in text and not set(text) & set("\x1b\x00\u202e")


MANIFEST_OF = ("0.png", "1.png")


def _journals() -> list[bytes]:
    """Three lines: the header and two batches, without their checksums."""
    info = SessionInfo(runtime="a", version="1", precision="fp32", provider="cpu", threads=1)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lines: list[object] = [{"key": "k", "session": info}]
    for start in range(2):
        image = {"status": "ok", "digest": empty, "prediction": {"classes": [1, 0], "scores": [0.5, 0.25]}}
        lines.append({"start": start, "images": [image], "seconds": {"infer": 0.1}, "wall": 0.2, "at": "2026-01-01"})
    import msgspec

    return [json.dumps([json.loads(msgspec.json.encode(line)) for line in lines]).encode()]


def _journal(path: Path) -> None:
    """The lines with right checksums, in a journal whose images are empty files."""
    for name in MANIFEST_OF:
        (path.parent / name).write_bytes(b"")
    bodies = [json.dumps(line).encode() for line in json.loads(path.read_bytes())]
    path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(body), body) for body in bodies))
    _replay(path)


def _torn_journals() -> list[bytes]:
    return [b"".join(map(line_of, json.loads(seed))) for seed in _journals()]


def _torn_journal(path: Path) -> None:
    for name in MANIFEST_OF:
        (path.parent / name).write_bytes(b"")
    _replay(path)


def _replay(path: Path) -> None:
    manifest = Manifest(
        root=str(path.parent),
        items=tuple(Item(name, 0) for name in MANIFEST_OF),
        found=2,
        selection="all",
        labels_from="nowhere",
    )
    journal = Journal(path, "k", Classified)
    seen = 0
    for batch in journal.replay(manifest):
        assert isinstance(batch, JudgedBatch) and batch.start == seen
        assert all(isinstance(image, Judged) for image in batch.images)
        seen += len(batch.images)
    assert seen <= len(MANIFEST_OF)


def _arrays() -> list[bytes]:
    found = []
    for array in (np.zeros((3, 16, 16), np.float32), np.zeros((1, 16, 16, 3), np.float64)):
        stream = io.BytesIO()
        np.save(stream, array)
        found.append(stream.getvalue())
    stream = io.BytesIO()
    np.save(stream, np.array([Touch()], dtype=object), allow_pickle=True)
    return [*found, stream.getvalue()]


def _tensor(path: Path) -> None:
    read_user_tensors(path.parent, ["input.png"], PIPELINE)


def _text_of(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")


def _ascend_text(path: Path) -> None:
    """Any text of the tools, read as each of them."""
    text = _text_of(path)
    atclog.read_log(text)
    chip.chips_of(text)
    for read in (aisbench.read_logs, msame.read_logs, benchmark.read_perf_vision, benchmark.read_pure_infer):
        _either_way(read, path)


def _ascend_json(path: Path) -> None:
    om_path = path.with_name("a.om")
    path.with_name(om_path.name + om.SUFFIX).write_bytes(path.read_bytes())
    for read in (aisbench.read_summary, scores.read_scores, kit.read_kit):
        _either_way(read, path)
    _either_way(om.read_tensors, om_path)


def _either_way(read: Callable[[Path], object], path: Path) -> None:
    try:
        read(path)
    except BadInput as error:
        assert str(error).isprintable(), str(error)


def _tensors_of_om() -> bytes:
    tensor = {"name": "image", "shape": ["N", 3, 16, 16], "dtype": "float32"}
    return json.dumps({"inputs": [tensor], "outputs": [tensor], "batch": 4, "soc_version": "Ascend310"}).encode()


def _outputs(path: Path) -> None:
    spec = TensorSpec(name="class", shape=("N", 3))
    for suffix in (".txt", ".bin", ".npy"):
        copy = path.with_suffix(suffix)
        copy.write_bytes(path.read_bytes())
        _either_way(lambda one: outputs.read_array(one, spec), copy)


def _output_seeds() -> list[bytes]:
    stream = io.BytesIO()
    np.save(stream, np.zeros((1, 3), np.float32))
    return [b"0.1 0.2 0.3\n", struct.pack("<3f", 1, 2, 3), stream.getvalue(), _arrays()[-1]]


def _lines(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


LABELS = ("0.png 0\n1.png 1\ndeep/2.png 2\n", "# a comment\n2.png\t2\r\n./0.png 0\n1.png 1", "a b.png 1\n")
CLASS_MAPS = ("red 0\ngreen 1\n", '{"red": 0, "green": 1}')

TARGETS: dict[str, Target] = {
    "configs": Target(_configs, _config, name="tiny.yaml"),
    "label files": Target(lambda: _lines(*LABELS), _labels),
    "class maps": Target(lambda: _lines(*CLASS_MAPS), _class_map),
    "images": Target(_images, _image),
    "ONNX files": Target(_graphs, _graph),
    "checkpoints": Target(_checkpoints, _checkpoint, name="input.pth", cost=2),
    "pickles of checkpoints": Target(_pickles, _pickle, name="input.pth", cost=2),
    "tensors": Target(_arrays, _tensor, name="input.npy"),
    "run records": Target(lambda: [_run()[1]], _record, changed_json, name=RECORD_NAME, cost=40),
    "run records, torn": Target(lambda: [_run()[1]], lambda path: read_record(path.parent), name=RECORD_NAME),
    "run records, compared": Target(lambda: [_run()[1]], _compared, changed_json, name=RECORD_NAME, cost=20),
    "tables of predictions": Target(_tables, _table, name="predictions.csv"),
    "journals": Target(_journals, _journal, changed_json, cost=2),
    "journals, torn": Target(_torn_journals, _torn_journal, cost=2),
    "texts of Ascend tools": Target(lambda: [AIS_LOG, PURE_LOG, PERF_VISION, ATC_LOG], _ascend_text),
    "documents of Ascend tools": Target(
        lambda: [json.dumps(AIS_SUMMARY).encode(), json.dumps(SCORES).encode(), _tensors_of_om()],
        _ascend_json,
        changed_json,
    ),
    "outputs of Ascend tools": Target(_output_seeds, _outputs),
}

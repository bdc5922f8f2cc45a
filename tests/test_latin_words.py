"""README.zh.md is Chinese: what stays in Latin letters is a name, a unit, code or a term of the glossary."""

from __future__ import annotations

import io
import re
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from tiny import start, write_photos

from porter.records.record import RunRecord
from porter.runfolder.record_file import read_record

TERMS = {
    *("batch", "size", "Top-1", "Top-2", "Top-3", "fp32", "int8", "opset", "ONNX", "IR", "atol", "rtol", "p", "N"),
    *(
        "P90",
        "P99",
        "p90",
        "p99",
        "float32",
        "RGB",
        "CMYK",
        "NaN",
        "SHA-256",
        "JPEG",
        "PNG",
        "CPU",
        "cgroup",
        "H",
        "W",
        "C",
    ),
}
"""Terms that stay Latin in Chinese."""
UNITS = {"images/s", "ms", "s", "GiB", "MiB"}
NAMES = {
    *("porter", "PyTorch", "ONNX", "Runtime", "Wilson", "Tango", "McNemar", "OpenCV", "Pillow", "Numba", "English"),
    *("BatchNormalization", "Dropout", "onnx.checker", "TorchScript", "exporter", "torch", "pickle", "UTC", "README"),
    *("Python", "Linux", "predictions.csv", "labels.txt", "pytorch", "CPUExecutionProvider", "state_dict"),
}
"""Names of tools, people and methods."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on images of several kinds: grey, CMYK, with a wrong suffix, and one that is cut short."""
    folder = tmp_path_factory.mktemp("latin")
    labels = write_photos(folder / "val", [0, 1, 2] * 6)
    photos = sorted((folder / "val").iterdir())
    for path, mode in zip(photos, ("L", "CMYK", "LA"), strict=False):
        Image.open(path).convert("L" if mode == "LA" else mode).save(path, "JPEG")
    whole = io.BytesIO()
    Image.open(photos[4]).save(whole, "PNG")
    photos[4].write_bytes(whole.getvalue())
    photos[5].write_bytes(photos[5].read_bytes()[:-200])
    start(folder / "out", folder / "val", labels).everything()
    return folder / "out"


def prose(document: str) -> str:
    """The document without code, links, addresses and the tables of packages and files."""
    text = re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"``.*?``|`[^`\n]*`", " ", text)
    text = re.sub(r"\[[^\]\n]*\]\([^)\n]*\)|<[^>\n]*>|https?://\S+", " ", text)
    return re.sub(r"\\([_*|#])", r"\1", re.sub(r"\d{4}-\d\d-\d\dT[\d:+-]+", " ", text))


def words(text: str) -> set[str]:
    """Latin words; an exponent is part of its number."""
    return set(re.findall(r"[A-Za-z][\w.+/-]*\w|[A-Za-z]", re.sub(r"\d(\.\d+)?e[+-]\d+", " ", text)))


def names_of(record: RunRecord) -> set[str]:
    """What the run itself is called by: its model, machine, packages, artefacts and images."""
    assert record.data is not None and record.load is not None
    named = [record.model, record.environment, record.plugins, record.artefacts, record.load.format]
    named += [one.name for one in record.evaluations]
    return words(msgspec.json.encode(named).decode()) | words(" ".join(one.id for one in record.data.failures))


def test_every_latin_word_of_the_chinese_document_is_a_name_a_unit_or_a_term(folder: Path) -> None:
    found = words(prose((folder / "README.zh.md").read_text(encoding="utf-8")))
    assert found - TERMS - UNITS - NAMES - names_of(read_record(folder)) == set()


def test_colours_reasons_and_interpolation_are_said_in_chinese(folder: Path) -> None:
    document = (folder / "README.zh.md").read_text(encoding="utf-8")
    for said in ("张灰度图", "张 CMYK 图", "张后缀与实际格式不符", "无法完整读取（图片文件被截断）", "双线性插值"):
        assert said in document, said

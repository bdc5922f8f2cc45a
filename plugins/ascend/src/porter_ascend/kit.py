"""The kit: all that a host with an NPU needs to build, run and measure a model, and the list of what is in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from porter import (
    BadInput,
    InputFile,
    Item,
    Manifest,
    ModelSpec,
    Preprocessed,
    TensorSpec,
    file_digest,
    one_line,
    read_json,
    shell_word,
)
from porter_ascend.atc import PRECISION_MODES, input_shape
from porter_ascend.inputs import SUFFIX, bin_names, info_lines, write_bin

DOCUMENT, SCRIPT, SUMS, RESULTS = "kit.json", "run.sh", "SHA256SUMS", "results"
BINS, INFO, LABELS, MODEL = "data/bin", "data/images.info", "data/labels.txt", "model"
LOOPS, ROUNDS = 200, 100
"""Timed calls of ais_bench, from 100 on a sample holds its p99; and of the older tool, which gives a mean alone."""
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class KitItem:
    """One image of the manifest."""

    id: str
    """As in the manifest."""
    label: int | str
    """As in the manifest."""
    name: str = ""
    """Name of its `.bin` without the suffix, by which its outputs are known; empty: it cannot be read."""
    reason: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True, kw_only=True)
class KitDocument:
    """`kit.json`: what was sent, so that what comes back can be scored without the images."""

    kit_version: int = 1
    porter: str
    """Version that wrote it."""
    created: str
    """Local time with offset, ISO 8601."""
    spec: ModelSpec
    """The model."""
    inputs: tuple[TensorSpec, ...]
    """The inputs of the ONNX file by its own account."""
    onnx: str
    """The ONNX file, relative to the kit."""
    onnx_sha256: str
    soc_version: str
    """The chip that atc builds for."""
    precision: str
    """What atc is told to compute in."""
    batches: tuple[int, ...]
    """Batch sizes to build and to measure."""
    scored: tuple[int, ...]
    """Those of them that run the whole data set."""
    manifest: Manifest
    """The images that accuracy divides by, without their items."""
    made_from: tuple[InputFile, ...] = ()
    """Config and checkpoint of the model, by name."""
    items: tuple[KitItem, ...] = ()
    """The images, in order."""

    def full_manifest(self) -> Manifest:
        """The manifest with its items."""
        return replace(self.manifest, items=tuple(Item(item.id, item.label) for item in self.items))


def script(kit: KitDocument) -> str:
    """run.sh for the kit: POSIX shell."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["q"] = shell_word
    shape = input_shape(kit.inputs, 1)
    height, width = kit.spec.image.crop
    return environment.get_template(f"{SCRIPT}.j2").render(
        name=Path(kit.onnx).stem,
        onnx=kit.onnx,
        inputs=";".join(f"{one.split(':')[0]}:@,{one.split(',', 1)[1]}" for one in shape.split(";")),
        soc_version=kit.soc_version,
        precision_mode=PRECISION_MODES[kit.precision],
        batches=kit.batches,
        scored=kit.scored,
        width=width,
        height=height,
        loops=LOOPS,
        rounds=ROUNDS,
        images=sum(bool(item.name) for item in kit.items),
    )


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of a kit."""

    sha256: str
    """Of kit.json."""
    images: int
    """Images that could be read and are in it."""
    size_bytes: int
    """Size of all its files."""


def write_kit(
    folder: Path, kit: KitDocument, onnx: Path, images: Iterable[Preprocessed], items: tuple[Item, ...]
) -> Written:
    """Write the kit to `folder`, whole or not at all, in place of an earlier one.

    Raises `BadInput` where `folder` holds something else, or results that came back, and where the disk is too small.
    """
    _require_own(folder)
    _require_room(folder, kit, len(items))
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        full = _fill(place, kit, onnx, images, items)
        written = Written(
            sha256=file_digest(place / DOCUMENT),
            images=sum(bool(item.name) for item in full.items),
            size_bytes=sum(path.stat().st_size for path in place.rglob("*") if path.is_file()),
        )
        place.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return written


def read_kit(path: Path) -> KitDocument:
    """Read kit.json. Raises `BadInput` where it is not one."""
    return read_json(path, "list of a kit", KitDocument)


def _fill(
    place: Path, kit: KitDocument, onnx: Path, images: Iterable[Preprocessed], items: tuple[Item, ...]
) -> KitDocument:
    sums = _Sums(place)
    (place / BINS).mkdir(parents=True)
    (place / MODEL).mkdir()
    shutil.copyfile(onnx, place / kit.onnx)
    sums.add(kit.onnx)
    names = bin_names([item.id for item in items])
    listed: list[KitItem] = []
    for index, array, reason in images:
        item = items[index]
        if array is None:
            listed.append(KitItem(id=item.id, label=item.label, reason=reason))
            continue
        path = f"{BINS}/{names[index]}{SUFFIX}"
        write_bin(place / path, array)
        sums.add(path)
        listed.append(KitItem(id=item.id, label=item.label, name=names[index]))
    full = replace(kit, items=tuple(listed))
    height, width = kit.spec.image.crop
    readable = [f"{BINS}/{item.name}{SUFFIX}" for item in listed if item.name]
    sums.write(INFO, "".join(f"{line}\n" for line in info_lines(readable, width, height)))
    if all(isinstance(item.label, int) for item in listed):
        sums.write(LABELS, "".join(f"{item.id} {item.label}\n" for item in listed))
    document = msgspec.json.format(msgspec.json.encode(full), indent=1).decode() + "\n"
    sums.write(DOCUMENT, document)
    (place / SCRIPT).write_text(script(full), encoding="utf-8")
    (place / SCRIPT).chmod(0o755)
    (place / SUMS).write_text("".join(sums.lines), encoding="utf-8")
    return full


class _Sums:
    """Files of the kit, with the lines that `sha256sum -c` reads."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.lines: list[str] = []

    def add(self, path: str) -> None:
        self.lines.append(f"{file_digest(self._place / path)}  {path}\n")

    def write(self, path: str, text: str) -> None:
        (self._place / path).write_text(text, encoding="utf-8")
        self.add(path)


def _require_own(folder: Path) -> None:
    if not folder.exists():
        return
    if not (folder / DOCUMENT).is_file():
        raise BadInput(f"{one_line(folder)}: contains something other than a kit. Move it away")
    if (folder / RESULTS).exists():
        raise BadInput(
            f"{one_line(folder / RESULTS)}: contains results. Import them with `porter import ascend {folder}`, "
            "or move them before writing a new kit"
        )


def _require_room(folder: Path, kit: KitDocument, count: int) -> None:
    height, width = kit.spec.image.crop
    needed = 4 * len(kit.spec.image.mean) * height * width * count
    with suppress(OSError):
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free < needed:
            raise BadInput(
                f"{one_line(folder)}: the preprocessed images need {needed / 1e6:.1f} MB, {free / 1e6:.1f} MB are "
                "free: give another --out, or fewer images with --limit"
            )

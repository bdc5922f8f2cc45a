"""The manifest of a detection set: images with the boxes of a COCO file, or of YOLO's text files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from porter import BadInput, DataRequest, Item, Manifest, Message, one_line, open_store, read_named_lines, select
from porter_detection.coco_labels import coco_truths
from porter_detection.truth import Truth, written
from porter_detection.yolo_labels import yolo_truths

WAYS = "--labels FILE.json with a COCO file, or --labels DIR with YOLO's .txt files"


def labelled_manifest(request: DataRequest, num_classes: int) -> Manifest:
    """List the images below `request.root`, each with its boxes.

    Labels are a COCO json, a folder of YOLO's text files, or without `--labels` the folder `labels` beside `images`.
    Raises `BadInput` naming the file and the key or line that is wrong.
    """
    store = open_store(request.root)
    listing = store.find()
    given = request.labels if request.labels is not None else _beside(request.root)
    classes = None if request.class_map is None else read_classes(request.class_map, num_classes)
    warnings: list[Message] = []
    truths: Mapping[str, Truth]
    if given.is_dir():
        truths = yolo_truths(given, listing.ids, store, num_classes, classes, request.label_offset, warnings)
        source = Message("YOLO labels in {folder}", folder=given.name)
    elif given.suffix.lower() == ".json":
        if request.label_offset:
            raise BadInput("--label-offset: the categories of a COCO file go by name. Use --class-map FILE")
        truths = coco_truths(given, listing.ids, request.spec.class_names, num_classes, classes, warnings)
        source = Message("COCO labels {file}", file=given.name)
    else:
        kind = "no such file or folder" if not given.exists() else "neither a folder nor a .json file"
        raise BadInput(f"{one_line(given)}: {kind}; detection takes {WAYS}")
    ids = [name for name in listing.ids if name in truths]
    if not any(truths[name].boxes for name in ids):
        raise BadInput(f"{one_line(given)}: no box on any of the {len(ids)} images, so there is nothing to find")
    selection = select(len(ids), request.limit, request.keep_apart)
    return Manifest(
        root=store.root,
        items=tuple(Item(ids[index], written(truths[ids[index]])) for index in selection.scored),
        found=len(ids),
        selection=selection.words,
        kept_apart=tuple(ids[index] for index in selection.kept_apart),
        labels_from=source,
        label_offset=request.label_offset,
        warnings=(*listing.warnings, *warnings),
    )


def read_classes(path: Path, num_classes: int) -> dict[str, int]:
    """A class map: lines `CATEGORY CLASS`, a category by its name or number, and the class index of the model.

    Raises `BadInput` naming the line.
    """
    found: dict[str, int] = {}
    for number, name, text in read_named_lines(path, "class map"):
        where = f"{one_line(path)}, line {number}"
        if not text.isascii() or not text.isdigit() or int(text) >= num_classes:
            raise BadInput(f"{where}: {text[:40]!r} is no class of the model, which has 0 to {num_classes - 1}")
        if found.setdefault(name.casefold(), int(text)) != int(text):
            raise BadInput(f"{where}: {name[:80]!r} has class {text} here and {found[name.casefold()]} above")
    return found


def _beside(root: str) -> Path:
    """The folder of labels where none is named: `…/labels/train` for the images `…/images/train`."""
    folder = Path(root).absolute()
    parts = folder.parts
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        return folder / "labels"
    if "images" in parts:
        place = len(parts) - 1 - parts[::-1].index("images")
        beside = Path(*parts[:place], "labels", *parts[place + 1 :])
        if beside.is_dir():
            return beside
    raise BadInput(f"no labels: {one_line(root)} has no folder of labels beside it. Use {WAYS}")

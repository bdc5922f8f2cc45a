"""The manifest of a data set that labels every image with one class index."""

from __future__ import annotations

from porter.contracts.task import DataRequest
from porter.data.folders import labels_from_folders
from porter.data.labels import match_labels, read_label_file
from porter.data.selection import select
from porter.data.store import open_store
from porter.errors import BadInput
from porter.records.manifest import Item, Manifest
from porter.records.message import Message, Text


def labelled_manifest(request: DataRequest, num_classes: int) -> Manifest:
    """List the images below `request.root` and give each its class index, from a label file or class folders.

    Raises `BadInput` where an image has no label or a label no class, naming the file and line.
    """
    store = open_store(request.root)
    ids = store.list()
    if request.labels is not None:
        if request.class_map is not None:
            raise BadInput("--labels and --class-map exclude each other: a label file holds class indices already")
        matched = match_labels(ids, read_label_file(request.labels), num_classes, request.label_offset)
        labels, warnings = matched.labels, matched.warnings
        source: Text = Message("label file {name}, matched by name", name=request.labels.name)
    else:
        folders = labels_from_folders(
            ids, num_classes, request.class_map, request.spec.class_names, request.label_offset
        )
        labels, warnings, source = folders.labels, folders.warnings, folders.source
    selection = select(len(ids), request.limit, request.keep_apart)
    return Manifest(
        root=store.root,
        items=tuple(Item(ids[index], labels[ids[index]]) for index in selection.scored),
        found=len(ids),
        selection=selection.words,
        kept_apart=tuple(ids[index] for index in selection.kept_apart),
        labels_from=source,
        label_offset=request.label_offset,
        warnings=warnings,
    )

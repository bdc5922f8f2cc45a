"""The manifest of a data set that labels every image with one class index."""

from __future__ import annotations

from porter.contracts.task import DataRequest
from porter.data.class_map import read_class_map
from porter.data.class_names import ClassNames
from porter.data.folders import labels_from_folders
from porter.data.label_classes import KnownClasses
from porter.data.label_file import read_label_file
from porter.data.labels import Unmatched, match_labels
from porter.data.levels import one_level_off
from porter.data.selection import select
from porter.data.store import open_store
from porter.errors import BadInput
from porter.records.manifest import Item, Manifest
from porter.records.message import Text


def labelled_manifest(request: DataRequest, num_classes: int) -> Manifest:
    """List the images below `request.root` and give each its class index, from a label file or class folders.

    Raises `BadInput` where an image has no label or a label no class, naming the file and line.
    """
    store = open_store(request.root)
    listing = store.find()
    ids = listing.ids
    labels, source, warnings = _labels(request, ids, num_classes)
    selection = select(len(ids), request.limit, request.keep_apart)
    return Manifest(
        root=store.root,
        items=tuple(Item(ids[index], labels[ids[index]]) for index in selection.scored),
        found=len(ids),
        selection=selection.words,
        kept_apart=tuple(ids[index] for index in selection.kept_apart),
        labels_from=source,
        label_offset=request.label_offset,
        warnings=(*listing.warnings, *warnings),
    )


def _labels(
    request: DataRequest, ids: tuple[str, ...], num_classes: int
) -> tuple[dict[str, int], Text, tuple[Text, ...]]:
    """The class of every image, where it is from, and what was odd."""
    if request.labels is None:
        folders = labels_from_folders(
            ids, num_classes, request.class_map, request.spec.class_names, request.label_offset, request.root
        )
        return folders.labels, folders.source, folders.warnings
    known = known_classes(request, num_classes)
    try:
        matched = match_labels(ids, read_label_file(request.labels), known)
    except Unmatched as error:
        raise BadInput(one_level_off(request.root, ids) or str(error)) from None
    of_map = () if known.map is None or known.map.warning is None else (known.map.warning,)
    return matched.labels, matched.source, (*matched.warnings, *of_map)


def known_classes(request: DataRequest, num_classes: int) -> KnownClasses:
    """What says which class a label is: the model's class names, or the class map that was given."""
    offset = request.label_offset
    return KnownClasses(
        num_classes=num_classes,
        model=ClassNames((name, index) for index, name in enumerate(request.spec.class_names)),
        offset=offset,
        map=None if request.class_map is None else read_class_map(request.class_map, num_classes, offset),
    )

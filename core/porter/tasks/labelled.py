"""The manifest of a data set that labels every image with one class index."""

from __future__ import annotations

from porter.contracts.task import DataRequest
from porter.data.folders import labels_from_folders
from porter.data.labels import match_labels, read_label_file
from porter.data.listing import list_images
from porter.data.selection import evenly_spaced
from porter.errors import BadInput
from porter.records.manifest import Item, Manifest


def labelled_manifest(request: DataRequest, num_classes: int) -> Manifest:
    """List the images below `request.data` and give each its class index, from a label file or class folders.

    Raises `BadInput` where an image has no label or a label no class, naming the file and line.
    """
    ids = list_images(request.data)
    if request.labels is not None:
        if request.class_map is not None:
            raise BadInput("--labels and --class-map exclude each other: a label file holds class indices already")
        matched = match_labels(ids, read_label_file(request.labels), num_classes, request.label_offset)
        labels, warnings = matched.labels, matched.warnings
        source = f"label file {request.labels.name}, matched by name"
    else:
        folders = labels_from_folders(
            ids, num_classes, request.class_map, request.spec.class_names, request.label_offset
        )
        labels, warnings, source = folders.labels, folders.warnings, folders.source
    chosen = range(len(ids)) if request.limit is None else evenly_spaced(len(ids), request.limit)
    limited = request.limit is not None and request.limit < len(ids)
    return Manifest(
        root=str(request.data.resolve()),
        items=tuple(Item(ids[index], labels[ids[index]]) for index in chosen),
        found=len(ids),
        selection=f"{len(chosen)} of {len(ids)}, evenly spaced (--limit {request.limit})" if limited else "all",
        labels_from=source,
        label_offset=request.label_offset,
        warnings=warnings,
    )

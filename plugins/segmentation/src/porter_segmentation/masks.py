"""Masks: PNG files with one id a pixel, found by the names of the images, read and checked."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from porter import (
    BadInput,
    DataRequest,
    Item,
    Manifest,
    Message,
    Text,
    one_line,
    open_store,
    read_received,
    select,
    usable_threads,
)
from porter_segmentation.ids import IGNORED, MAPS, UNKNOWN, Ids, ids_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASS_ENDINGS = ("_gtFine_labelTrainIds", "_gtCoarse_labelTrainIds", "_labelTrainIds")
ID_ENDINGS = ("_gtFine_labelIds", "_gtCoarse_labelIds", "_labelIds")
ENDINGS = ("", "_mask", "_label", "_labels", "_seg", "_gt")
"""What stands between the stem of an image and `.png` in the name of its mask; a map of ids looks for ids first."""
IMAGE_ENDINGS = ("_leftImg8bit",)
"""What an image's name ends in and its mask's does not."""
MODES = ("1", "L", "P", "I", "I;16", "I;16B")


def masked_manifest(request: DataRequest) -> Manifest:
    """The images below `request.root`, each with its mask below `request.labels`.

    Every mask is read and checked before anything is inferred. Raises `BadInput` naming the one that is missing, is no
    PNG of one channel, has another size than its image, or holds an id that stands for no class.
    """
    if request.labels is None:
        raise BadInput("no masks. Use --labels DIR, a folder with a PNG of class ids for each image")
    if not request.labels.is_dir():
        raise BadInput(f"--labels {one_line(request.labels)}: a file; segmentation takes a folder of masks")
    ids = ids_of(request.spec, request.class_map, request.label_offset)
    store = open_store(request.root)
    listing = store.find()
    by_ids = request.class_map is not None or request.label_offset != 0
    found = _masks_of(Path(store.root), request.labels, listing.ids, by_ids)
    names = tuple(found)
    chosen = select(len(names), request.limit, request.keep_apart)
    items = tuple(Item(names[place], found[names[place]]) for place in chosen.scored)
    _check(request, ids, items)
    return Manifest(
        root=store.root,
        labels_root=str(request.labels.resolve()),
        class_map="" if request.class_map is None else str(request.class_map.resolve()),
        items=items,
        found=len(names),
        selection=chosen.words,
        kept_apart=tuple(names[place] for place in chosen.kept_apart),
        labels_from=_source(request),
        label_offset=request.label_offset,
        warnings=(*listing.warnings, *_cut_off(request)),
    )


def read_mask(path: Path) -> NDArray[np.uint16]:
    """A mask as uint16 H×W. Raises `BadInput` unless it is a whole PNG of one channel."""
    import numpy as np
    from PIL import Image

    data = read_received(path, "image file")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode not in MODES:
                raise BadInput(
                    f"{one_line(path)}: {len(image.getbands())} channels ({image.mode}); a mask has one, the id of "
                    "each pixel"
                )
            values = np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise BadInput(f"{one_line(path)}: not a whole PNG mask: {one_line(error)}") from None
    return values.astype(np.uint16)


def classes_in(path: Path, ids: Ids) -> NDArray[np.int32]:
    """A mask in class indices, int32 H×W, -1 where a pixel is not counted. Raises `BadInput` for an id of no class."""
    import numpy as np

    mask = read_mask(path)
    present = np.flatnonzero(np.bincount(mask.ravel(), minlength=1))
    unknown = present[ids.classes[present] == UNKNOWN]
    if len(unknown):
        row, column = np.argwhere(mask == unknown[0])[0]
        raise BadInput(
            f"{one_line(path)}: id {unknown[0]} at row {row}, column {column}; {ids.words}{_advice(ids, present)}"
        )
    found: NDArray[np.int32] = ids.classes[mask]
    return found


def _masks_of(root: Path, labels: Path, images: Sequence[str], by_ids: bool) -> dict[str, str]:
    """The mask of every image, both relative to their folders. Images that are masks of others are left out."""
    present = set(_pngs(labels))
    alone = Counter(PurePosixPath(name).name for name in present)
    anywhere = {PurePosixPath(name).name: name for name in present if alone[PurePosixPath(name).name] == 1}
    inside = _prefix(root, labels)
    endings = (*ID_ENDINGS, *CLASS_ENDINGS) if by_ids else (*CLASS_ENDINGS, *ID_ENDINGS)
    found, missing = dict[str, str](), list[str]()
    for image in images:
        own = None if inside is None or not image.startswith(inside) else image.removeprefix(inside)
        mask = next((name for name in _names(image, endings, present, anywhere) if name != own), "")
        if mask:
            found[image] = mask
        else:
            missing.append(image)
    used = set() if inside is None else {inside + mask for mask in found.values()}
    missing = [image for image in missing if image not in used]
    if missing:
        wanted = labels / PurePosixPath(_stem(missing[0])).with_name(PurePosixPath(_stem(missing[0])).name + ".png")
        more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise BadInput(f"{one_line(wanted)}: no such mask, for the image {one_line(missing[0])}{more}")
    return {image: mask for image, mask in found.items() if image not in used}


def _names(image: str, endings: Sequence[str], present: set[str], anywhere: dict[str, str]) -> Iterator[str]:
    """The masks that an image may have, the likeliest first: at its own place, then anywhere below the folder."""
    stems = (_stem(image), str(PurePosixPath(image).with_suffix("")))
    names = [f"{stem}{ending}.png" for ending in (*endings, *ENDINGS) for stem in dict.fromkeys(stems)]
    yield from (name for name in names if name in present)
    flat = (PurePosixPath(name).name for name in names)
    yield from (anywhere[name] for name in flat if name in anywhere)


def _stem(image: str) -> str:
    stem = str(PurePosixPath(image).with_suffix(""))
    for ending in IMAGE_ENDINGS:
        stem = stem.removesuffix(ending)
    return stem


def _pngs(folder: Path) -> Iterator[str]:
    """Every PNG below a folder, relative to it, `/` between the parts."""
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(place).relative_to(folder)
        yield from ((below / name).as_posix() for name in files if name.endswith(".png") and not name.startswith("."))


def _prefix(root: Path, labels: Path) -> str | None:
    """What the masks' names have in front as images, where their folder lies in that of the images; None: elsewhere."""
    try:
        below = labels.resolve().relative_to(root)
    except (OSError, ValueError):
        return None
    return "" if below == Path() else f"{below.as_posix()}/"


def _check(request: DataRequest, ids: Ids, items: Sequence[Item]) -> None:
    assert request.labels is not None
    folder, store = request.labels, open_store(request.root)

    def counted(item: Item) -> bool:
        path = folder / str(item.label)
        mask = classes_in(path, ids)
        size = image_size(Path(store.name(item.id)))
        if size not in (None, mask.shape):
            raise BadInput(wrong_size(path, mask.shape, item.id, size))
        return bool((mask != IGNORED).any())

    with ThreadPoolExecutor(usable_threads()) as pool:
        pending = [pool.submit(counted, item) for item in items]
        try:
            labelled = [one.result() for one in pending]
        finally:
            for one in pending:
                one.cancel()
    if items and not any(labelled):
        raise BadInput(f"--labels {one_line(folder)}: every pixel of all {len(items)} masks is ignored; {ids.words}")


def wrong_size(path: Path, mask: tuple[int, ...], image: str, size: tuple[int, ...] | None) -> str:
    """That a mask does not fit its image, as one line."""
    return f"{one_line(path)}: {_by(mask)} pixels, its image {one_line(image)} has {_by(size or ())}"


def image_size(path: Path) -> tuple[int, int] | None:
    """Height and width by the head of the file; None where there is none, or it lies on another machine."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _advice(ids: Ids, present: NDArray[np.intp]) -> str:
    """The map that ships and has a class for just these ids, where the model's classes alone were allowed."""
    classes = int(ids.classes.max()) + 1
    if ids.words.startswith("the model has"):
        for name, path in MAPS.items():
            pairs = [line.split(",") for line in path.read_text().splitlines()[2:]]
            known = {int(one): int(other) for one, other in pairs if other != "ignore"}
            listed = {int(one) for one, _ in pairs}
            if max(known.values()) + 1 == classes and set(present.tolist()) <= listed:
                return f". Use `--class-map {name}`"
    return ". Use --class-map FILE with the class of each id" if ids.words.startswith("the model has") else ""


def _source(request: DataRequest) -> Text:
    assert request.labels is not None
    folder = request.labels.name
    if request.class_map is None:
        return Message("masks in {folder}, found by name", folder=folder)
    return Message("masks in {folder}, found by name, ids by {map}", folder=folder, map=request.class_map.name)


def _cut_off(request: DataRequest) -> Iterator[Message]:
    declared = request.spec.preprocess
    if declared is not None and declared.fit == "cover" and declared.squash != declared.crop:
        yield Message("what the centre crop leaves out of an image is not counted: the model does not see it")


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))

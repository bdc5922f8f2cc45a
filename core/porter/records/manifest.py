"""The counted list of images that goes through every stage: listed = decoded + failed = scored."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.message import Text


@dataclass(frozen=True, slots=True)
class Item:
    """One image of the manifest."""

    id: str
    """Path relative to the data folder, with `/` between its parts, as the file system spells it."""
    label: int | str
    """What the task scores against: a class index, or the path of a file (a mask) relative to `labels_root`."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The images to score, in order. Every accuracy of the run divides by `len(items)`."""

    root: str
    """Absolute path of the data folder, or its URL; `porter.data.store.open_store` reads from both."""
    labels_root: str = ""
    """Absolute path of the folder of labels, where each label is a file."""
    items: tuple[Item, ...]
    """The images, in the order in which every stage takes them."""
    found: int
    """Images in the data folder before `--limit`."""
    selection: Text
    """How `items` was chosen from what was found, in words for the documents."""
    kept_apart: tuple[str, ...] = ()
    """Identifiers of images that are no items, and that nothing is scored on: int8 is calibrated on them."""
    labels_from: Text
    """Where the labels come from, in words for the documents."""
    label_offset: int = 0
    """Subtracted from every label of the file."""
    warnings: tuple[Text, ...] = ()
    """What was odd but not refused, one line each."""

"""The counted list of samples that goes through every stage: listed = decoded + failed = scored."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.message import Text


@dataclass(frozen=True, slots=True)
class Item:
    """One sample of the manifest."""

    id: str
    """Its name, of which there is one: the path relative to the data folder, with `/` between its parts, as the file
    system spells it; with `#` and more behind it where a file holds several."""
    label: int | str
    """What the task scores against: a class index, the path of a file (a mask) relative to `labels_root`, or whatever
    its scorer takes."""
    path: str = ""
    """The file, relative to the data folder; empty: `id` is the path."""
    others: tuple[str, ...] = ()
    """Further files that it is read from, relative to the data folder."""
    box: tuple[float, float, float, float] | None = None
    """Its part of the image: left, top, width, height in pixels; None: the whole."""
    text: str = ""
    """What it is itself, where that is no file: a sentence, the row of a table."""

    @property
    def file(self) -> str:
        """The file that it lies in, relative to the data folder."""
        return self.path or self.id

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that it is read from; none where it is a text."""
        return self.others if self.text and not self.path else (self.file, *self.others)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The images to score, in order. Every accuracy of the run divides by `len(items)`."""

    root: str
    """Absolute path of the data folder, or its URL; `porter.data.store.open_store` reads from both."""
    labels_root: str = ""
    """Absolute path of the folder of labels, where each label is a file."""
    class_map: str = ""
    """Absolute path of the class map, where a task reads labels, and so the map, as it scores."""
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

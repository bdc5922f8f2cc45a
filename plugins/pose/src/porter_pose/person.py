"""What a pose is, as it is predicted and as it is labelled."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

Joint = tuple[float, float]


@dataclass(frozen=True)
class Posed:
    """The joints of one person, in pixels of the image."""

    joints: tuple[Joint, ...]
    """x and y of each; the middle of the first pixel is 0."""
    scores: tuple[float, ...]
    """The score of each, as the heatmaps have it."""


class Annotation(msgspec.Struct, frozen=True, array_like=True):
    """One person as a COCO file labels it."""

    image: int
    """Number of the image."""
    joints: tuple[float, ...]
    """x, y and visibility (0: not labelled) of each joint."""
    box: tuple[float, float, float, float]
    """Left, top, width, height."""
    area: float
    crowd: bool = False

    @property
    def labelled(self) -> int:
        """Joints that are labelled."""
        return sum(value > 0 for value in self.joints[2::3])


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """The label of one item, a box in an image, as JSON."""

    image: int
    """Number of the image."""
    score: float = 1.0
    """That of the box; 1 where it is a labelled one."""
    own: int = -1
    """Place in `people` of the person that the box was made of, where it is a labelled one."""
    people: tuple[Annotation, ...] = ()
    """Everybody in the image, with its first item."""
    elsewhere: tuple[Annotation, ...] = ()
    """Everybody in images without a box, with the first item of all."""
    sigmas: tuple[float, ...] = ()
    """Of the joints, with the first item of all; empty: those of COCO."""


def label_text(label: Label) -> str:
    """As `Item.label` has it."""
    return msgspec.json.encode(label).decode()


def read_label(text: str) -> Label:
    """The inverse of `label_text`."""
    return msgspec.json.decode(text, type=Label)

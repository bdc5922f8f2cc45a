"""MPII as the authors of HRNet's pose networks prepare it: `annot/valid.json` and `annot/gt_valid.mat`.

A person has a centre and a scale: a square of 200 pixels a unit, moved down by 15 and enlarged by a quarter
(`lib/dataset/mpii.py`). Its numbers begin at 1, those of the transform at 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from porter import BadInput, DataRequest, Item, Manifest, Message, Missing, list_images, one_line, read_json, select

STANDARD, DOWN = 200.0, 15.0
HEAD = 0.6
"""Of the diagonal of the box around a head: SC_BIAS of MPII's own evaluation."""


class Mpii(msgspec.Struct, frozen=True, array_like=True):
    """One person as the task scores it, in pixels counted from 1."""

    joints: tuple[tuple[float, float], ...]
    seen: tuple[bool, ...]
    head: float
    """Size of the head."""


class _Person(msgspec.Struct, frozen=True):
    image: str
    center: tuple[float, float]
    scale: float


def mpii_manifest(request: DataRequest, joints: int) -> Manifest:
    """An item for each person. Raises `BadInput` with the file and the place."""
    if request.labels is None or not request.labels.is_dir():
        raise BadInput("--labels: MPII needs the folder with valid.json and gt_valid.mat")
    path, truth = request.labels / "valid.json", request.labels / "gt_valid.mat"
    people = read_json(path, "file of MPII's people", list[_Person])
    labels = _truth(truth, len(people), joints)
    there = set(list_images(request.data))
    absent = next((one.image for one in people if one.image not in there), "")
    if absent:
        raise BadInput(f"{path}: image {one_line(absent)} does not lie in {request.root}")
    chosen = select(len(people), request.limit, request.keep_apart)
    return Manifest(
        root=str(request.data.resolve()),
        items=tuple(_item(place, people[place], labels[place]) for place in chosen.scored),
        found=len(people),
        selection=chosen.words,
        kept_apart=tuple(dict.fromkeys(people[place].image for place in chosen.kept_apart)),
        labels_from=Message("`{file}` and `{truth}`", file=path.name, truth=truth.name),
    )


def _item(place: int, person: _Person, label: Mpii) -> Item:
    x, y = person.center
    side = person.scale * STANDARD
    centre = x - 1, y + DOWN * person.scale - 1
    return Item(
        f"{person.image}#{place + 1}",
        msgspec.json.encode(label).decode(),
        path=person.image,
        box=(centre[0] - side / 2, centre[1] - side / 2, side, side),
    )


def _truth(path: Path, people: int, joints: int) -> list[Mpii]:
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError:
        raise Missing("MPII's gt_valid.mat needs SciPy. Run: pip install 'porter-pose[mpii]'") from None
    if not path.exists():
        raise BadInput(f"{path}: no such file; MPII's evaluation needs it for the size of the heads")
    try:
        found: Any = loadmat(path)
        places = np.asarray(found["pos_gt_src"], np.float64)  # K×2×N
        missing = np.asarray(found["jnt_missing"])  # K×N
        boxes = np.asarray(found["headboxes_src"], np.float64)  # 2×2×N
    except NotImplementedError:  # SciPy has it for HDF5, which `-v7.3` writes
        raise BadInput(f"{path}: saved as MATLAB 7.3, which SciPy does not read; save it again with `-v7`") from None
    except Exception as error:  # SciPy, zlib and NumPy each raise their own for a damaged file
        raise BadInput(f"{path}: not MPII's ground truth: {type(error).__name__}: {one_line(error)}") from None
    if places.shape != (joints, 2, people) or missing.shape != (joints, people) or boxes.shape != (2, 2, people):
        raise BadInput(
            f"{path}: {places.shape[-1]} people of {places.shape[0]} joints; "
            f"valid.json has {people}, the model {joints} joints"
        )
    heads = np.linalg.norm(boxes[1] - boxes[0], axis=0) * HEAD
    return [
        Mpii(
            joints=tuple((float(x), float(y)) for x, y in places[:, :, n]),
            seen=tuple(bool(one == 0) for one in missing[:, n]),
            head=float(heads[n]),
        )
        for n in range(people)
    ]

"""A checkpoint in several files, with an index that says which entry is in which: `model.safetensors.index.json`."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from msgspec import Struct

from porter.checkpoints.naming import quoted
from porter.errors import BadInput, one_line
from porter.files.textfile import read_json

INDEX = ".index.json"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{4,6})-of-(?P<all>\d{4,6})(?P<suffix>\.[A-Za-z]+)")


class _Index(Struct):
    weight_map: dict[str, str]
    """Name of an entry: name of the file that holds it."""


def entries_by_shard(index: Path) -> dict[Path, list[str]]:
    """The entries in each shard of an index. Raises `BadInput` where it names none, or one in another folder."""
    shards: dict[Path, list[str]] = {}
    for entry, name in read_json(index, "index of a checkpoint's shards", _Index).weight_map.items():
        if PurePath(name).name != name or "\\" in name or name in ("", ".", ".."):
            raise BadInput(
                f"{one_line(index)}: {quoted(entry)} should be in {quoted(name)}, which is not beside the index"
            )
        shards.setdefault(index.parent / name, []).append(entry)
    absent = [path.name for path in shards if not path.is_file()]
    if absent:
        raise BadInput(
            f"{one_line(index)}: {len(absent)} of its {len(shards)} shards are missing (first: {quoted(absent[0])}). "
            "Copy or download them as well"
        )
    return shards


def is_index(path: Path) -> bool:
    """Whether a file is called an index of shards."""
    return path.name.endswith(INDEX)


def hint_lone_shard(path: Path) -> str:
    """A clause for an error message, where a file is called one shard of several."""
    found = _SHARD.fullmatch(path.name)
    if found is None or int(found["all"]) < 2:
        return ""
    index = f"{found['stem']}{found['suffix']}{INDEX}"
    return f"; it is shard {int(found['number'])} of {int(found['all'])}. Use the index, {one_line(index)}"

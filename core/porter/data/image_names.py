"""Names of images as label files spell them: from the exact path to what is left of it on another system."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from porter.images.formats import IMAGE_SUFFIXES

_SHOWN = 3


def some_of(names: Sequence[str], count: int | None = None) -> str:
    """The first three names, for messages; `count`: how many there are, where `names` has only the first of them."""
    more = (len(names) if count is None else count) > _SHOWN
    return ", ".join(repr(name) for name in names[:_SHOWN]) + (", …" if more else "")


def nfc(name: str) -> str:
    """Unicode NFC: macOS and Linux spell accents apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def path_key(name: str) -> str:
    """The name in NFC, with `\\` read as `/` and a leading `./` dropped."""
    return nfc(name).replace("\\", "/").removeprefix("./")


def has_image_suffix(name: str) -> bool:
    """Whether the name ends as an image's does, in any case."""
    return suffix_of(name) in IMAGE_SUFFIXES


def suffix_of(name: str) -> str:
    """The suffix of a path in small letters, with its dot; pathlib takes ten times as long."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > name.rfind("/") + 1 else ""


def _with_folder(path: str) -> str:
    """The last two parts; empty where there is only one."""
    folder, _, name = path.rpartition("/")
    return f"{folder.rpartition('/')[2]}/{name}" if folder else ""


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _loose(name: str) -> str:
    """Without percent-encoding, case, wide characters and the suffixes of images."""
    text = unquote(name) if "%" in name else name
    text = path_key(text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()
    while has_image_suffix(text):
        text = text[: text.rindex(".")]
    return text


KEYS: tuple[Callable[[str], str], ...] = (
    path_key,
    lambda name: _with_folder(path_key(name)),
    lambda name: _last(path_key(name)),
    _loose,
    lambda name: _with_folder(_loose(name)),
    lambda name: _last(_loose(name)),
)
"""Under which a name of a label file and an image are the same, the strictest first. An empty key is no one's."""
FIRST_LOOSE = 3
"""From this key on more than folders in front was passed over."""

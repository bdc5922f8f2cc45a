"""Check the archive around a checkpoint before torch reads it.

torch's reader of zip files does not compare checksums, so that one flipped bit in a weight goes unseen. When it maps
the file into memory, it takes a record for the weights themselves even where the record is compressed.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from porter.checkpoints.naming import quoted, some
from porter.errors import BadInput, one_line

_CHUNK = 1 << 20


def check_archive(path: Path) -> None:
    """Check that the zip archive at `path` was written by `torch.save` and is whole.

    Raises:
        BadInput: it is cut short or damaged, is some other archive, or holds TorchScript or an exported program.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_kind(path, archive.namelist())
            for record in archive.infolist():
                _check_record(path, archive, record)
    except BadInput:
        raise
    # A forged archive makes zipfile raise much besides BadZipFile: struct.error, EOFError, RuntimeError, …
    except Exception as error:
        raise BadInput(
            f"{one_line(path)}: damaged or truncated zip archive ({one_line(error)}). Copy or download it again"
        ) from error


def _pickles(names: list[str]) -> list[str]:
    """torch lets the archive's one top folder have any name."""
    return [name for name in names if re.fullmatch(r"[^/]+/data\.pkl", name)]


def _check_kind(path: Path, names: list[str]) -> None:
    tops = {name.partition("/")[2] for name in names}
    if "constants.pkl" in tops or any(top.startswith("code/") for top in tops):
        raise BadInput(
            f"{one_line(path)}: a TorchScript archive, not a checkpoint. "
            "Save model.state_dict() with torch.save and use that file"
        )
    if "archive_format" in tops:
        raise BadInput(
            f"{one_line(path)}: a torch.export program, not a checkpoint. "
            "Save model.state_dict() with torch.save and use that file"
        )
    if len(_pickles(names)) != 1:
        raise BadInput(
            f"{one_line(path)}: a zip archive that torch.save did not write (contains {some(names)}). "
            "If the checkpoint is inside, extract it"
        )


def _check_record(path: Path, archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    # Refusing compression, which torch.save never uses, also stops archives that expand without bound.
    if record.compress_type != zipfile.ZIP_STORED:
        raise BadInput(
            f"{one_line(path)}: record {quoted(record.filename)} is compressed, which torch.save never does. "
            "Save the checkpoint again with torch.save"
        )
    with archive.open(record) as data:  # compares the local header with the directory
        # torch.serialization.set_crc32_options(False) writes 0: there is nothing to compare.
        while record.CRC and data.read(_CHUNK):  # at the end raises BadZipFile where the checksum differs
            pass

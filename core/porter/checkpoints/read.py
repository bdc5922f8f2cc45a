"""Read a checkpoint without running code from it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from porter.checkpoints.archive import check_archive
from porter.checkpoints.checkpoint_file import require_file
from porter.checkpoints.inert import inert_globals
from porter.checkpoints.naming import some
from porter.checkpoints.nesting import check_nesting
from porter.checkpoints.sharded_files import entries_by_shard, is_index
from porter.checkpoints.sniff import Format, detect_format
from porter.errors import BadInput, Missing, one_line

if TYPE_CHECKING:
    from torch import Tensor

SAFE_TORCH = Version("2.10")
"""The first whose safe loader is not known to be led astray by a file."""
_TRUST = "If you trust it, use --trust-checkpoint, which runs code stored in the file"
_UNKNOWN = re.compile(r"GLOBAL (.+?) (?:was not an allowed|whose module)", re.DOTALL)
"""Where the safe loader names the first thing that it does not load."""
_FRAME = "Unsupported operand 149"
"""What it says of the first byte of a pickle of protocol 4 or above. `torch.save` writes protocol 2."""


@dataclass(frozen=True, kw_only=True)
class RawCheckpoint:
    """What a checkpoint holds, on the CPU, before anyone looks for the weights in it."""

    path: Path
    format: Format
    safe: bool
    """False only where the user trusted the file and it had to be unpickled."""
    content: object
    """Most often a dictionary. Values of the classes in `porter.checkpoints.inert` are stand-ins without content."""


def read_checkpoint(path: Path, *, trust: bool = False) -> RawCheckpoint:
    """Read a file of `torch.save` (any version of it) or of safetensors, recognised by its content, not its name; or
    the shards that a `*.index.json` lists, as one.

    It is read by `torch.load(weights_only=True)`, which builds tensors and plain containers only. A file with any
    other class in it is refused; with `trust` it is unpickled instead, which runs whatever code it holds.

    Raises:
        BadInput: no such file, not a checkpoint, damaged, or in need of a trust that was not given.
        Missing: torch or safetensors is not installed, or torch is too old to read checkpoints safely.
    """
    require_file(path)
    if is_index(path):
        return _read_shards(path, trust)
    format = detect_format(path)
    if format == "safetensors":
        return RawCheckpoint(path=path, format=format, safe=True, content=_read_safetensors(path))
    _require_torch()
    if format == "zip":
        check_archive(path)
    check_nesting(path, archive=format == "zip")
    content, safe = _read_torch(path, format, trust)
    return RawCheckpoint(path=path, format=format, safe=safe, content=content)


def _read_shards(index: Path, trust: bool) -> RawCheckpoint:
    """All shards of an index as one checkpoint."""
    content: dict[str, object] = {}
    read: list[RawCheckpoint] = []
    for path, entries in entries_by_shard(index).items():
        shard = read_checkpoint(path, trust=trust)
        found = shard.content if isinstance(shard.content, dict) else {}
        absent = [name for name in entries if name not in found]
        if absent:
            raise BadInput(f"{one_line(path)}: {len(absent)} entries of {index.name} are missing: {some(absent)}")
        content |= {name: found[name] for name in entries}
        read.append(shard)
    return RawCheckpoint(path=index, format=read[0].format, safe=all(shard.safe for shard in read), content=content)


def _read_torch(path: Path, format: Format, trust: bool) -> tuple[object, bool]:
    """The content, and whether it was read safely. Trust is used only where the safe way fails."""
    import torch

    with torch.serialization.safe_globals(list(inert_globals())):
        # torch raises almost anything on hostile or damaged bytes: RuntimeError, KeyError, AttributeError, …
        try:
            return _load(path, weights_only=True, mmap=format == "zip"), True
        except Exception as error:
            if not trust:
                raise BadInput(f"{one_line(path)}: {_why_refused(path, format, error)}") from error
    try:
        return _load(path, weights_only=False, mmap=format == "zip"), False
    except Exception as error:
        raise BadInput(f"{one_line(path)}: cannot be unpickled: {_reason(error)}") from error


def _load(path: Path, *, weights_only: bool, mmap: bool) -> object:
    """`torch.load` on the CPU.

    The strings of Python 2 are read as Latin-1, which cannot fail; they hold numpy's raw bytes as well as text.
    """
    import torch

    options: dict[str, Any] = {"map_location": "cpu", "weights_only": weights_only, "encoding": "latin1"}
    with warnings.catch_warnings():
        # They are about other pickle protocols and about options, none of them the user's to mend.
        warnings.simplefilter("ignore")
        if mmap and not path.name.endswith(".safetensors"):
            return torch.load(path, mmap=True, **options)
        # Given a name in .safetensors, torch.load does not look at the content.
        with path.open("rb") as file:
            return torch.load(file, **options)


def _why_refused(path: Path, format: Format, error: Exception) -> str:
    """What the safe loader met: a class that it does not know, a pickle protocol, or damage."""
    met = _UNKNOWN.search(str(error))
    names = _foreign(path) if format == "zip" else ()
    names = names or ((met[1],) if met else ())
    if any(name.startswith("torch.nn.modules.") for name in names):
        return f"contains a whole pickled model ({some(names, limit=8)}). Save model.state_dict() instead. {_TRUST}"
    if names:
        plural = "classes or functions" if len(names) > 1 else "a class or function"
        more = ", perhaps more: files of PyTorch before 1.6 do not list them" if format == "legacy" else ""
        return f"needs {plural} that porter does not load: {some(names, limit=8)}{more}. {_TRUST}"
    if _FRAME in str(error):
        return f"pickled with a protocol above 2, which has no safe reader. Save it with protocol 2. {_TRUST}"
    return f"is damaged or truncated: {_reason(error)}. Copy or download it again"


def _foreign(path: Path) -> tuple[str, ...]:
    """Full names of what the archive asks for and the safe loader does not allow, torch's own last; empty where its
    pickle cannot be listed."""
    import torch

    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # as of the loader itself: almost anything
        return ()
    return tuple(sorted(names, key=lambda name: (name.startswith("torch."), name)))


def _reason(error: Exception) -> str:
    """The cause in one short line. torch wraps it in paragraphs of advice that do not apply here."""
    text = str(error).rpartition("WeightsUnpickler error:")[2]
    line = next((line for line in text.splitlines() if line.strip()), "")
    return one_line(f"{type(error).__name__}: {line.strip()[:200]}" if line else type(error).__name__)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise Missing(
            f"{one_line(path)}: reading it needs torch and safetensors. Run in the clone of porter: pip "
            "install -e '.[torch]'"
        ) from error
    try:
        tensors: dict[str, Tensor] = load_file(path, device="cpu")
    except Exception as error:
        raise BadInput(
            f"{one_line(path)}: is damaged or truncated: {_reason(error)}. Copy or download it again"
        ) from error
    return tensors


def _require_torch() -> None:
    try:
        import torch
    except ImportError as error:
        raise Missing(
            "reading a checkpoint needs torch. Run in the clone of porter: pip install -e '.[torch]'"
        ) from error
    if Version(torch.__version__) < SAFE_TORCH:
        raise Missing(
            f"torch {torch.__version__} cannot read checkpoints safely (CVE-2025-32434, CVE-2026-24747). Run: "
            f"pip install 'torch>={SAFE_TORCH}'"
        )

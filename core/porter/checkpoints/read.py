"""Read a checkpoint without running code from it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.checkpoints.archive import check_archive, check_tar
from porter.checkpoints.checkpoint_file import require_file
from porter.checkpoints.foreign import survey
from porter.checkpoints.inert import inert_globals
from porter.checkpoints.naming import some
from porter.checkpoints.sniff import Format, detect_format
from porter.errors import BadInput, Missing, one_line

if TYPE_CHECKING:
    from torch import Tensor

_TRUST = "if you made it yourself, --trust-checkpoint unpickles it, which runs whatever code it holds"


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
    """Read a file of `torch.save` (any version of it) or of safetensors, recognised by its content, not its name.

    It is read by `torch.load(weights_only=True)`, which builds tensors and plain containers only. A file with any
    other class in it is refused; with `trust` it is unpickled instead, which runs whatever code it holds.

    Raises:
        BadInput: no such file, not a checkpoint, damaged, or in need of a trust that was not given.
        Missing: torch or safetensors is not installed, or torch is too old to read checkpoints safely.
    """
    require_file(path)
    format = detect_format(path)
    if format == "safetensors":
        return RawCheckpoint(path=path, format=format, safe=True, content=_read_safetensors(path))
    _require_torch()
    if format == "zip":
        check_archive(path)
    elif format == "tar":
        check_tar(path)
    content, safe = _read_torch(path, format, trust)
    return RawCheckpoint(path=path, format=format, safe=safe, content=content)


def _read_torch(path: Path, format: Format, trust: bool) -> tuple[object, bool]:
    """The content, and whether it was read safely. Trust is used only where the safe way fails."""
    import torch

    with torch.serialization.safe_globals(list(inert_globals())):
        # torch raises almost anything on hostile or damaged bytes: RuntimeError, KeyError, AttributeError, …
        try:
            if format != "tar":
                return _load(path, weights_only=True, mmap=format == "zip"), True
        except Exception as error:
            if not trust:
                raise BadInput(f"{one_line(path)}: {_why_refused(path, format, error)}") from error
    if not trust:
        raise BadInput(
            f"{one_line(path)}: is in the tar format of torch's first releases, which has no safe reader; {_TRUST}"
        )
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
    found = survey(path, format)
    if found.foreign:
        names = some(found.foreign, limit=8)
        if any(name.startswith("torch.nn.modules.") for name in found.foreign):
            return f"holds a whole pickled model ({names}); save model.state_dict() instead; {_TRUST}"
        plural = "classes or functions" if len(found.foreign) > 1 else "a class or function"
        return f"asks for {plural} that porter does not load: {names}; {_TRUST}"
    if found.protocol > 2:
        return (
            f"was pickled with protocol {found.protocol}, and only 2 can be read safely; "
            f"save it again without `pickle_protocol`; {_TRUST}"
        )
    return f"is damaged or cut short: {_reason(error)}; copy or download it again"


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
            f"{one_line(path)}: reading it takes torch and safetensors: pip install 'porter-core[torch]'"
        ) from error
    try:
        tensors: dict[str, Tensor] = load_file(path, device="cpu")
    except Exception as error:
        raise BadInput(
            f"{one_line(path)}: is damaged or cut short: {_reason(error)}; copy or download it again"
        ) from error
    return tensors


def _require_torch() -> None:
    try:
        import torch
    except ImportError as error:
        raise Missing("reading a checkpoint takes torch: pip install 'porter-core[torch]'") from error
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        raise Missing(
            f"torch {torch.__version__} cannot read checkpoints safely (CVE-2025-32434): pip install 'torch>=2.6'"
        )

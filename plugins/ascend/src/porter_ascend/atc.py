"""atc: an ONNX file to an `.om` for one chip and one batch size."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from porter import BadInput, TensorSpec, one_line
from porter_ascend.atclog import read_log
from porter_ascend.toolkit import Toolkit

ONNX_FRAMEWORK = 5
PRECISION_MODES = {"fp16": "force_fp16"}
"""Precision: atc's `--precision_mode`. `force_fp16` is atc's default for inference; it is said all the same."""
_NAME = re.compile(r"[^:;,@\s\"'$`\\]+")
"""Names that `--input_shape` can hold, which parts at `:`, `;` and `,`, and that the script of a kit can fill in."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """One call of atc."""

    onnx: Path
    """The exported file."""
    inputs: tuple[TensorSpec, ...]
    """The inputs of the file by its own account, the batch first."""
    batch: int
    """Batch size of the `.om`."""
    soc_version: str
    """The chip, as atc names it."""
    precision: str = "fp16"
    """Precision to compute in."""

    def arguments(self, output: str) -> list[str]:
        """The command line; `output` is the path of the `.om` without its suffix."""
        return [
            "atc",
            f"--framework={ONNX_FRAMEWORK}",
            f"--model={self.onnx}",
            f"--output={output}",
            "--input_format=NCHW",
            f"--input_shape={input_shape(self.inputs, self.batch)}",
            f"--soc_version={self.soc_version}",
            f"--precision_mode={PRECISION_MODES[self.precision]}",
            "--log=error",
        ]


def input_shape(inputs: Sequence[TensorSpec], batch: int) -> str:
    """The value of `--input_shape`, e.g. `image:16,3,224,224`; several inputs are parted by `;`.

    The first dimension is the batch. Raises `BadInput` for a name that the option cannot hold, for another free
    dimension, and where the file is fixed to another batch size.
    """
    return ";".join(f"{_checked(tensor.name)}:{','.join(map(str, _sizes(tensor, batch)))}" for tensor in inputs)


def convert(toolkit: Toolkit, wanted: Conversion, target: Path, log: Path) -> None:
    """Run atc and put the `.om` at `target`. What lay there before is gone first; nothing is kept of a failure.

    Success is exit status 0 and exactly one `.om` that is new and not empty. Raises `BadInput` with the refused
    operators, or atc's errors, and the place of the log.
    """
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".atc-") as place:
        folder = Path(place).resolve()  # an empty folder: whatever is in it afterwards is new
        status = toolkit.run(wanted.arguments(str(folder / target.stem)), log, cwd=folder)
        made = sorted(folder.glob("*.om"))
        whole = [path for path in made if path.is_file() and path.stat().st_size]
        if status == 0 and len(made) == 1 and whole == made:
            shutil.move(made[0], target)
            return
    what = f"exit status {status}" if status else f"exit status 0, but {_lack(made)}"
    said = read_log(log.read_text(encoding="utf-8", errors="replace")).summary()
    raise BadInput(f"atc, batch {wanted.batch}: {what}{f'; {said}' if said else ''}. Full log: {one_line(log)}")


def _lack(made: Sequence[Path]) -> str:
    if not made:
        return "no .om was written"
    return "the .om is empty" if len(made) == 1 else f"{len(made)} .om files were written, expected one"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadInput(f"input {one_line(name)!r}: atc's --input_shape cannot express this name. Rename it at export")
    return name


def _sizes(tensor: TensorSpec, batch: int) -> tuple[int, ...]:
    if not tensor.shape:
        raise BadInput(f"input {one_line(tensor.name)}: no batch dimension, which atc's --input_shape needs")
    first, *rest = tensor.shape
    if isinstance(first, int) and first not in (batch, 0):
        raise BadInput(f"input {one_line(tensor.name)} is fixed to batch {first}, not {batch}")
    free = [str(size) for size in rest if not isinstance(size, int) or size < 1]
    if free:
        raise BadInput(
            f"input {one_line(tensor.name)}: dimension {', '.join(map(one_line, free))} is dynamic; atc "
            "allows only a dynamic batch"
        )
    return (batch, *(int(size) for size in rest))

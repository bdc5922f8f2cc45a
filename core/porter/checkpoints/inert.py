"""Harmless classes that training scripts leave beside the weights, and the stand-ins that are built for them.

A score saved as `numpy.float64`, the script's `argparse.Namespace` or a `pathlib.Path` makes torch's safe loader
refuse the whole file. There is no need to rebuild these values: each becomes an object without content, or, of numpy,
one that keeps what it was given, for `porter.checkpoints.numpy_values`. No code of numpy, argparse or pathlib runs on
bytes from the file. That is more than caution: a forged `numpy.dtype` state can make numpy treat raw bytes as object
pointers.
"""

from __future__ import annotations

from typing import ClassVar

_NUMPY = ("multiarray.scalar", "multiarray._reconstruct")

INERT_NAMES: tuple[str, ...] = (
    # numpy 2 moved numpy.core to numpy._core; a checkpoint spells the one that wrote it.
    *(f"numpy.core.{name}" for name in _NUMPY),
    *(f"numpy._core.{name}" for name in _NUMPY),
    # The classes of `numpy.dtypes` need no place here: pickles call `numpy.dtype`, which is not run.
    "numpy.dtype",
    "numpy.ndarray",
    "argparse.Namespace",
    *(f"pathlib.{name}" for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    # Python 3.13's spelling.
    *(f"pathlib._local.{name}" for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    # `torch.__version__` is a subclass of str.
    "torch.torch_version.TorchVersion",
)
"""Full names, as pickles spell them, of what a safe load replaces by stand-ins."""


class Inert:
    """Stands for an object of the checkpoint that is not rebuilt; takes any arguments and state, keeps none."""

    stands_for: ClassVar[str] = ""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class Kept(Inert):
    """A stand-in that keeps what it was given."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args = args
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def inert_globals() -> list[tuple[type[Inert], str]]:
    """Pairs of stand-in and full name, as `torch.serialization.safe_globals` takes them."""
    bases = {name: Kept if name.startswith("numpy.") else Inert for name in INERT_NAMES}
    return [(type(base.__name__, (base,), {"stands_for": name}), name) for name, base in bases.items()]

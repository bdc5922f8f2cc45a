"""What was read from a checkpoint, and what became of each entry."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """The evidence behind the verdict "weights loaded"."""

    format: str
    """`zip` or `legacy` (torch), `safetensors`, `onnx`, …"""
    safe: bool
    """False only where the user gave `--trust-checkpoint` and the file was unpickled."""
    weights: str
    """Key under which the weights lie, e.g. `state_dict`; empty for a bare file."""
    weights_offered: tuple[str, ...] = ()
    """Every key that holds weights, where the file offers more than one set (raw and EMA)."""
    beside: tuple[str, ...] = ()
    """Other keys of the file (epoch, optimizer, …), not used."""
    prefix: str = ""
    """Prefix taken off every key, e.g. `module.`."""
    expected: int
    """Entries of the model's state dict, `num_batches_tracked` aside."""
    loaded: int
    """Entries copied into it."""
    renamed: int = 0
    """Entries of the file that lost a prefix."""
    forgiven: tuple[str, ...] = ()
    """Entries absent from the file that may be: `num_batches_tracked` only."""
    skipped: tuple[str, ...] = ()
    """Entries of the file that the model has no place for."""
    parameters: int
    """Number of trained values (parameters, without buffers) of the model."""
    dtypes: tuple[str, ...] = ()
    """Types of the tensors in the file; they are converted to the model's."""
    derived: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Tensors of the model that the plugin computed, each with the entries of the file that it computed them from; none
    of them: from nothing in the file. Core compares every other tensor's values with the file's. A cast, a new name or
    shape, and a BatchNorm folded into the layer before it need no word here: core tells them by the values."""
    fits: str = ""
    """Name of the other variant that has a place for all of the file, where the plugin can tell one."""

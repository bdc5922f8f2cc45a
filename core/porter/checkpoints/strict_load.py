"""Load weights into a module, strictly: every entry of the model comes from the file, or nothing is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from porter.checkpoints.arrays_of import dtype_name, is_counter, kind_fault, shape_of, value_fault
from porter.checkpoints.naming import quoted, some
from porter.checkpoints.prefix import choose_prefix, without_prefix
from porter.checkpoints.sharded_files import hint_lone_shard
from porter.checkpoints.unwrap import Weights
from porter.errors import BadInput, one_line
from porter.records.loaded import LoadReport

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def load_into(
    module: Module,
    weights: Weights,
    *,
    prefixes: tuple[str, ...] = ("module.", "model."),
    head: tuple[str, ...] = (),
    head_hint: str = "",
    fits: str = "",
) -> LoadReport:
    """Copy `weights` into `module`, in the module's own types and on its own devices, and put it in eval mode.

    Everything is checked before the first value is copied, so that a module is never left half loaded.

    Args:
        prefixes: What wrappers may have put before every name; taken off, also repeated or mixed, where that
            makes the names match. `_orig_mod.` of `torch.compile` is always among them.
        head: Names of the submodules whose first dimension is the number of classes, e.g. `("classifier",)`.
        head_hint: Where the user sets that number, for the message, e.g. `MODEL.NUM_CLASSES in model.yaml`.
        fits: Name of the other variant that has a place for all of the file, where the plugin can tell one.

    Raises:
        BadInput: entries are missing (`num_batches_tracked` may be), have another shape or kind, hold NaN or
            infinity, or do not fit the module's type. Entries that the model has no place for are reported.
    """
    import torch

    own = module.state_dict()
    expected = {name: value for name, value in own.items() if isinstance(value, torch.Tensor)}
    required = [name for name in expected if not is_counter(name)]
    in_file = [*weights.entries, *weights.not_tensors]
    prefix = choose_prefix(weights.path, in_file, required, prefixes)
    renamed = without_prefix(in_file, prefix)
    _require_tensors(weights, expected, renamed)
    found = {name: weights.entries[renamed[name]] for name in expected if name in renamed}
    used = {renamed[name] for name in found}
    spare = {name: tensor for name, tensor in weights.entries.items() if name not in used}

    _require_all(weights, {name: expected[name] for name in required}, found, spare, fits)
    _refuse(weights, found, lambda name: kind_fault(name, found[name], expected[name]))
    _require_shapes(weights, found, expected, head, head_hint, fits)
    ready = {name: tensor.to(expected[name].dtype) for name, tensor in found.items()}
    _refuse(weights, found, lambda name: value_fault(found[name], ready[name]))

    module.load_state_dict({**own, **ready}, strict=True)
    module.eval()
    return LoadReport(
        format=weights.format,
        safe=weights.safe,
        weights=weights.key,
        weights_offered=weights.offered,
        beside=weights.beside,
        prefix=prefix,
        expected=len(required),
        loaded=sum(not is_counter(name) for name in found),
        renamed=len(found) if prefix else 0,
        forgiven=tuple(name for name in expected if name not in found),
        skipped=tuple(one_line(name) for name in in_file if name not in used),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        dtypes=tuple(sorted({dtype_name(tensor.dtype) for tensor in found.values()})),
        fits=fits,
    )


def _require_tensors(weights: Weights, expected: Iterable[str], renamed: Mapping[str, str]) -> None:
    wrong = [renamed[name] for name in expected if renamed.get(name) in weights.not_tensors]
    if wrong:
        what = weights.not_tensors[wrong[0]]
        raise BadInput(f"{one_line(weights.path)}: {some(wrong)}: expected a tensor, found {what}")


def _require_all(
    weights: Weights,
    required: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    spare: Mapping[str, Tensor],
    fits: str,
) -> None:
    missing = [name for name in required if name not in found]
    if not missing:
        return
    hint = (
        hint_lone_shard(weights.path)
        or (f". All of them fit {fits}: use its config" if fits else "")
        or _hint_renamed(missing, required, spare)
        or (". No name matches: is it the checkpoint of another model?" if len(missing) == len(required) else "")
    )
    raise BadInput(
        f"{one_line(weights.path)}: missing {len(missing)} of {len(required)} entries of the model: "
        f"{some(missing)}{hint}"
    )


def _hint_renamed(missing: list[str], required: Mapping[str, Tensor], spare: Mapping[str, Tensor]) -> str:
    """A clause naming an entry of the file that may be a missing one under another name."""
    for name in missing:
        shape, leaf = shape_of(required[name]), name.rpartition(".")[2]
        for other, tensor in spare.items():
            if other.rpartition(".")[2] == leaf and shape_of(tensor) == shape:
                return f". The checkpoint has {quoted(other)} with the shape of {quoted(name)}: was the layer renamed?"
    return ""


def _require_shapes(
    weights: Weights,
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    head: tuple[str, ...],
    head_hint: str,
    fits: str,
) -> None:
    wrong = [name for name in found if found[name].shape != expected[name].shape]
    if not wrong:
        return
    empty = [name for name in wrong if not found[name].numel()]
    if empty:
        raise BadInput(
            f"{one_line(weights.path)}: {len(empty)} tensors are empty: {some(empty)}. DeepSpeed (ZeRO-3) keeps "
            "their values in other files. Merge them with its zero_to_fp32.py and use the result"
        )
    name = wrong[0]
    given, needed = list(found[name].shape), list(expected[name].shape)
    in_head = all(any(other == part or other.startswith(f"{part}.") for part in head) for other in wrong)
    if in_head and given and needed and given[1:] == needed[1:]:
        setting = f" ({head_hint})" if head_hint else ""
        raise BadInput(
            f"{one_line(weights.path)}: the checkpoint has {given[0]} classes, the config {needed[0]}{setting}; "
            f"{quoted(name)} is {given}, the model has {needed}"
        )
    more = f", {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
    raise BadInput(
        f"{one_line(weights.path)}: {quoted(name)} is {given}, the model has {needed}{more}; "
        + (f"the whole file fits {fits}" if fits else "is it the checkpoint of another variant?")
    )


def _refuse(weights: Weights, names: Iterable[str], fault: Callable[[str], str]) -> None:
    """Refuse the file if `fault` finds any of the entries `names` faulty."""
    faults = [(name, text) for name in names if (text := fault(name))]
    if faults:
        name, text = faults[0]
        alike = [other for other, _text in faults[1:]]
        also = f"; the same for {len(alike)} more: {some(alike)}" if alike else ""
        raise BadInput(f"{one_line(weights.path)}: {quoted(name)} {text}{also}")

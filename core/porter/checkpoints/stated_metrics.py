"""What a checkpoint states of itself: the accuracy that training measured, and the epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

TOP1 = re.compile(
    r"(best_|max_|val_|test_|eval_)*(perf|acc|acc_?1|acc@1|prec|prec_?1|prec@1|top_?1|accuracy|acc_top1|metric)"
)
GROUPS = frozenset({"metrics", "best_metrics", "results", "scores"})
EPOCH = frozenset({"epoch", "epochs", "last_epoch"})


def stated_metrics(content: object) -> dict[str, float]:
    """Figures at the top of a checkpoint, or in a `GROUPS` there, by their key; accuracies in percent. Empty where it
    states none."""
    found: dict[str, float] = {}
    top = dict(content) if isinstance(content, Mapping) else {}
    for group in GROUPS & top.keys():
        inner = top[group] if isinstance(top[group], Mapping) else {}
        top |= {f"{group}.{key}": value for key, value in inner.items() if isinstance(key, str)}
    for key, value in top.items():
        number = _number(value) if isinstance(key, str) else None
        if number is None:
            continue
        name = key.lower().rpartition(".")[2]
        if name in EPOCH:
            found[key] = number
        elif TOP1.fullmatch(name) and 0 < number <= 100:
            found[key] = number * 100 if number <= 1 else number
    return found


def accuracies(stated: Mapping[str, float]) -> dict[str, float]:
    """Those that are accuracies, the best first."""
    kept = {key: value for key, value in stated.items() if key.lower().rpartition(".")[2] not in EPOCH}
    return dict(sorted(kept.items(), key=lambda one: -one[1]))


def _number(value: object) -> float | None:
    import torch

    from porter.checkpoints.numpy_values import scalar_of

    if isinstance(value, torch.Tensor):
        value = value.item() if value.numel() == 1 and not value.is_meta and not value.is_complex() else None
    if not isinstance(value, bool | int | float):
        value = scalar_of(value)
    if value is None or isinstance(value, bool):
        return None
    number = float(value)
    return number if math.isfinite(number) else None

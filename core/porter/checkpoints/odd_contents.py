"""Weights whose contents speak against them: not finite, zero, statistics of a new BatchNorm, a classifier of noise.

What fails here no trained model has. What some trained models have as well (a dead layer, a fixed blur, statistics
that were absorbed into weights) is a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from porter.checkpoints.naming import quoted
from porter.records.message import Message
from porter.records.weights_audit import Suspicion

if TYPE_CHECKING:
    from torch import Tensor

FEW = 64
"""Values below which being alike says nothing."""
ENOUGH, ENOUGH_DRAWN = 2048, 512
"""Values of a classifier, and of another layer, from which on the shape of their distribution tells."""
SEEN = 1e-3
"""Variance of a channel that a BatchNorm saw, above which the layer before it was not zero then."""
USUAL_EPS = frozenset({1e-5, 1e-3, 1e-2, 1e-4, 1e-6, 2e-5, 1e-12, 1.001e-5})
"""Of PyTorch, TensorFlow, Keras, MXNet, Caffe and networks that were made in them."""
FAR = 1e4
"""How many times as large as nine tenths of a layer's values its largest may be: 12 times in small trained networks."""
KOLMOGOROV, KOLMOGOROV_RARE = 1.63, 2.23
"""√n times the greatest distance between two distributions, at one percent and at one in ten thousand. A trained layer
that ends exactly at the bound of the uniform one lies at 4 or more."""
NORMAL_STDS = (0.001, 0.01, 0.02)
"""Of the usual normal initialisations of a classifier."""


def odd_contents(module: Any, classes: int | None) -> list[Suspicion]:
    """What is odd about a module's tensors, what fails first; `classes`: rows of its classifier, where it has one."""
    import torch

    with torch.no_grad():
        found = [*_not_finite(module), *_classifier(module, classes), *_alike(module)]
        found += [
            *_eps(module),
            *_outliers(module),
            *_untouched_norms(module),
            *_no_variance(module),
            *_as_drawn(module, classes),
        ]
    return sorted(found, key=lambda one: not one.fails)


def _not_finite(module: Any) -> Iterator[Suspicion]:
    import torch

    bad = [
        name
        for name, tensor in module.state_dict().items()
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.numel()
        # One pass: NaN is the least and the greatest of what holds it.
        if not all(math.isfinite(float(end)) for end in torch.aminmax(tensor))
    ]
    if bad:
        what = Message("{count} tensors contain NaN or infinite values: {names}", count=len(bad), names=names(bad))
        yield Suspicion(what=what, fails=True)


def _classifier(module: Any, classes: int | None) -> Iterator[Suspicion]:
    """The layers that have a row for each class: the last is the classifier, or an auxiliary one comes after it."""
    layers = [
        (name, part.weight)
        for name, part in module.named_modules()
        if _has_weight(part) and classes is not None and classes > 1 and part.weight.shape[0] == classes
    ]
    for name, weight in layers:
        if weight.numel() >= FEW:
            yield from _untrained(name, weight, is_last=name == layers[-1][0])


def _untrained(name: str, weight: Tensor, *, is_last: bool) -> Iterator[Suspicion]:
    flat = weight.detach().reshape(-1).float().cpu()
    if flat.min() == flat.max():
        if not is_last:
            return
        what = Message(
            "all values of the classifier {name} are equal, so every image gets the same prediction", name=name
        )
        yield Suspicion(what=what, fails=True)
    elif len(flat) >= ENOUGH and _is_uniform(flat, weight[0].numel()):
        what = Message(
            "the classifier {name} still has PyTorch's initial values (uniform noise), so it is untrained", name=name
        )
        # A note: who tries a plugin out with drawn weights knows it, and the accuracy fails on its own.
        yield Suspicion(what=what, fails=False)
    elif len(flat) >= ENOUGH and (std := _normal_std(flat)):
        what = Message(
            "the classifier {name} resembles normal noise with standard deviation {std:g}; it may be untrained",
            name=name,
            std=std,
        )
        yield Suspicion(what=what, fails=False)


def _is_uniform(flat: Tensor, fan_in: int) -> bool:
    """Whether values are uniform in ±1/√fan_in, as `torch.nn.Linear` begins: bounded there, and even in between."""
    bound = 1 / math.sqrt(fan_in)
    if not bound * (1 - 20 / len(flat)) <= flat.abs().max() <= bound * (1 + 1e-3):
        return False
    return _distance(flat, lambda values: (values / bound + 1) / 2) < KOLMOGOROV_RARE


def _normal_std(flat: Tensor) -> float:
    """The deviation of a usual normal initialisation that the values may come from; 0: of none."""
    import torch

    error = 4 / math.sqrt(2 * len(flat))
    for std in NORMAL_STDS:
        if abs(float(flat.std()) / std - 1) < error and (
            _distance(flat, lambda values: torch.special.ndtr(values / std)) < KOLMOGOROV  # noqa: B023 - used at once
        ):
            return std
    return 0.0


def _distance(flat: Tensor, cumulative: Any) -> float:
    """Kolmogorov's statistic of at most 65,536 of the values, times √n."""
    import torch

    values = flat[:: max(1, len(flat) // 65_536)].sort().values.double()
    steps = torch.arange(1, len(values) + 1, dtype=torch.float64) / len(values)
    return float((cumulative(values) - steps).abs().max()) * math.sqrt(len(values))


def _alike(module: Any) -> Iterator[Suspicion]:
    """Layers of one value. Zero before a BatchNorm that saw something else is a lost layer; another value in a layer
    that mixes channels makes all its outputs one. A fixed blur mixes none."""
    same: list[str] = []
    mixing: list[str] = []
    lost: list[str] = []
    before, zero = "", False
    for name, part in module.named_modules():
        variance = getattr(part, "running_var", None)
        if zero and variance is not None and float(variance.float().median()) > SEEN and not _is_new(part):
            lost.append(before)
        zero = False
        if _has_weight(part) and part.weight.numel() >= FEW and _is_one_value(part.weight):
            same.append(name)
            if part.weight.shape[1] > 1 and part.weight.shape[0] > 1 and bool(part.weight.any()):
                mixing.append(name)
            before, zero = name, not bool(part.weight.any()) and getattr(part, "bias", None) is None
    if lost:
        what = Message(
            "{count} layers are all zero, although the BatchNorm after them saw other values: {names}",
            count=len(lost),
            names=names(lost),
        )
        yield Suspicion(what=what, fails=True)
    if mixing:
        what = Message(
            "{count} layers contain a single value, so all their outputs are equal: {names}",
            count=len(mixing),
            names=names(mixing),
        )
        yield Suspicion(what=what, fails=True)
    if rest := [name for name in same if name not in (*lost, *mixing)]:
        what = Message("{count} layers contain a single value: {names}", count=len(rest), names=names(rest))
        yield Suspicion(what=what, fails=False)


def _is_one_value(weight: Tensor) -> bool:
    flat = weight.reshape(-1)
    return bool((flat[:FEW] == flat[0]).all()) and bool((flat == flat[0]).all())


def _untouched_norms(module: Any) -> Iterator[Suspicion]:
    """BatchNorms with mean 0 and variance 1. One that counted batches cannot have them."""
    norms = {name: part for name, part in module.named_modules() if getattr(part, "running_var", None) is not None}
    new = [name for name, part in norms.items() if _is_new(part)]
    counted = [name for name, part in norms.items() if _batches(part) > 0]
    impossible = [name for name in new if name in counted or (counted and _is_trained(norms[name]))]
    if impossible:
        what = Message(
            "{count} of {all} BatchNorms have initial statistics (mean 0, variance 1) although they were "
            "trained: {names}",
            count=len(impossible),
            all=len(norms),
            names=names(impossible),
        )
        yield Suspicion(what=what, fails=True)
    elif new:
        what = Message(
            "{count} of {all} BatchNorms have initial statistics (mean 0, variance 1): {names}",
            count=len(new),
            all=len(norms),
            names=names(new),
        )
        yield Suspicion(what=what, fails=False)


def _eps(module: Any) -> Iterator[Suspicion]:
    """BatchNorms of an eps that no framework has. No checkpoint states it, so that nothing else tells."""
    norms = [part for _, part in module.named_modules() if getattr(part, "running_var", None) is not None]
    unusual = sorted({float(part.eps) for part in norms} - USUAL_EPS)
    if unusual:
        what = Message(
            "the eps of BatchNorm is {eps}, which is unusual; no checkpoint states it",
            eps=tuple(f"{one:g}" for one in unusual),
        )
        yield Suspicion(what=what, fails=False)


def _outliers(module: Any) -> Iterator[Suspicion]:
    """Weights with a value that no training reaches beside the others, as a bit that was turned in the file makes."""
    found = []
    for name, part in module.named_modules():
        if not _has_weight(part) or part.weight.numel() < FEW:
            continue
        sizes = part.weight.detach().reshape(-1).abs().float()
        some = sizes[:: max(1, len(sizes) // 65_536)]
        usual = float(some.kthvalue(max(1, int(0.9 * len(some)))).values)
        if usual and float(sizes.max()) > FAR * usual:
            found.append(name)
    if found:
        what = Message("layers with a value far larger than all others: {names}", names=names(found))
        yield Suspicion(what=what, fails=True)


def _no_variance(module: Any) -> Iterator[Suspicion]:
    """BatchNorms that divide by nothing but eps, behind a layer that is not zero."""
    found: list[str] = []
    is_live = False
    for name, part in module.named_modules():
        variance = getattr(part, "running_var", None)
        if variance is not None and is_live and not bool(variance.any()):
            found.append(name)
        if _has_weight(part):
            is_live = bool(part.weight.any())
    if found:
        what = Message("every variance of a BatchNorm is zero: {names}", names=names(found))
        yield Suspicion(what=what, fails=True)


def _as_drawn(module: Any, classes: int | None) -> Iterator[Suspicion]:
    """Layers as PyTorch initialises them in a module whose BatchNorms saw images: lost, then drawn anew."""
    norms = [part for _, part in module.named_modules() if getattr(part, "running_var", None) is not None]
    if all(_is_new(one) for one in norms):
        return
    layers = [(name, part.weight) for name, part in module.named_modules() if _has_weight(part)]
    if layers and layers[-1][1].shape[0] == classes:  # of a classifier it is a note, see `_classifier`
        layers.pop()
    drawn = [
        name
        for name, weight in layers
        if weight.numel() >= ENOUGH_DRAWN and _is_uniform(weight.detach().reshape(-1).float().cpu(), weight[0].numel())
    ]
    if drawn:
        what = Message(
            "layers as PyTorch initialises them, uniform noise, beside trained ones: {names}", names=names(drawn)
        )
        yield Suspicion(what=what, fails=True)


def _is_new(norm: Any) -> bool:
    return not bool(norm.running_mean.any()) and bool((norm.running_var == 1).all())


def _is_trained(norm: Any) -> bool:
    """Whether its affine part is no identity; an identity is what remains of a BatchNorm that was folded."""
    weight, bias = norm.weight, norm.bias
    return weight is not None and (bool((weight != 1).any()) or bool(bias.any()))


def _batches(norm: Any) -> int:
    counter = getattr(norm, "num_batches_tracked", None)
    return 0 if counter is None else int(counter)


def _has_weight(part: Any) -> bool:
    import torch

    weight = getattr(part, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.ndim >= 2 and weight.is_floating_point() and not weight.is_meta


def names(found: list[str], limit: int = 3) -> tuple[str | Message, ...]:
    """The first of them, and how many more there are."""
    shown: tuple[str | Message, ...] = tuple(quoted(name) for name in found[:limit])
    return (*shown, Message("{count} more", count=len(found) - limit)) if len(found) > limit else shown

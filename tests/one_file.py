"""A plugin in one file, for `--plugin`: it really classifies, the class is the strongest colour channel."""

from __future__ import annotations

from collections.abc import Sequence

import porter

SPEC = porter.ModelSpec(
    name="one",
    task="classification",
    title="Strongest channel",
    inputs=(porter.TensorSpec(name="image", shape=("N", 3, 16, 16)),),
    outputs=(porter.TensorSpec(name="class", shape=("N", 3)),),
    preprocess=porter.PreprocessSpec(resize=18, crop=(16, 16), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    num_classes=3,
    class_names=("red", "green", "blue"),
)


@porter.hookimpl
def porter_models() -> Sequence[porter.ModelOffer]:
    return [porter.ModelOffer(name="one", title="One file", variants=(SPEC,), needs_checkpoint=False)]


@porter.hookimpl
def porter_describe(request: porter.ModelRequest) -> porter.ModelSpec:
    return SPEC


@porter.hookimpl
def porter_load(request: porter.LoadRequest) -> porter.Loaded:
    import torch

    linear = torch.nn.Linear(3, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(3) * 4)
        linear.bias.zero_()
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), linear).eval()
    report = porter.LoadReport(format="made here", safe=True, weights="", expected=2, loaded=2, parameters=12)
    return porter.Loaded(spec=SPEC, module=network, report=report)

"""A classifier of sentences, as an author writes it in one file: int64 tokens, items that are rows of a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

import porter

WORDS, LENGTH = ("", "good", "great", "bad", "awful", "film", "the", "a"), 6
SPEC = porter.ModelSpec(
    name="opinion",
    task="opinion",
    num_classes=2,
    class_names=("bad", "good"),
    inputs=(porter.TensorSpec(name="tokens", shape=("N", LENGTH), dtype="int64"),),
    outputs=(porter.TensorSpec(name="class", shape=("N", 2)),),
)


class Opinion(porter.Classification):
    name, title = "opinion", "Opinion of a sentence"
    needs_sizes = False

    def manifest(self, request):
        with Path(request.labels).open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        return porter.Manifest(
            root=str(request.data.resolve()),
            items=tuple(porter.Item(f"line {n}", int(row["label"]), text=row["text"]) for n, row in enumerate(rows, 2)),
            found=len(rows),
            selection="all lines",
            labels_from="reviews.csv",
        )


@porter.hookimpl
def porter_models():
    return [porter.ModelOffer(name="opinion", title="Opinion of a sentence", variants=(), needs_checkpoint=False)]


@porter.hookimpl
def porter_describe(request):
    return SPEC


@porter.hookimpl
def porter_load(request):
    import torch

    class Opinions(torch.nn.Module):
        def __init__(self):
            super().__init__()
            weights = torch.zeros(len(WORDS), 2)
            weights[1:3, 1], weights[3:5, 0] = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])
            self.words = torch.nn.Embedding.from_pretrained(weights, freeze=True)

        def forward(self, tokens):
            return self.words(tokens).sum(dim=1)

    report = porter.LoadReport(format="made here", safe=True, weights="", expected=1, loaded=1, parameters=16)
    return porter.Loaded(spec=request.spec, module=Opinions().eval(), report=report)


@porter.hookimpl
def porter_read(item):
    return item.text


@porter.hookimpl
def porter_preprocess(sample):
    known = [WORDS.index(word) if word in WORDS else 0 for word in sample.split()[:LENGTH]]
    return np.array(known + [0] * (LENGTH - len(known)), np.int64)


@porter.hookimpl
def porter_reference(sample):
    tokens = np.zeros(LENGTH, np.int64)
    for place, word in enumerate(sample.split()[:LENGTH]):
        tokens[place] = {word: index for index, word in enumerate(WORDS)}.get(word, 0)
    return tokens


@porter.hookimpl
def porter_tasks():
    return [Opinion()]


@porter.hookimpl
def porter_postprocess(outputs):
    return porter.classify(outputs["class"])

"""Which model the tools' own reports name: an offline model is called after what it was exported from."""

from __future__ import annotations

import re
from pathlib import PurePath

from porter.hosting.registry import Registry
from porter.importing.found import Found
from porter.records.spec import ModelSpec

_BATCH = re.compile(r"[-_.]?bs\d+$", re.IGNORECASE)


def named_in(found: Found, registry: Registry, model: str | None) -> tuple[ModelSpec, str] | None:
    """The one published variant that the reports name, as `MODEL_VARIANT_bs16.om`, and the name; None unless it is one.

    `model` narrows the search to one model.
    """
    names = {read.content.model for read in found.pure_infer} | {read.content.model for read in found.summaries}
    stems = {_plain(_BATCH.sub("", PurePath(name).name.removesuffix(".om"))): name for name in sorted(names) if name}
    offers = [offer for name, given in registry.models().items() if model in (None, name) for offer, _ in given]
    matching = [
        (spec, stems[stem])
        for offer in offers
        for spec in offer.variants
        if (stem := _plain(f"{spec.name}_{spec.variant}")) in stems
    ]
    return matching[0] if len(matching) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[-_. ]", "", name).lower()

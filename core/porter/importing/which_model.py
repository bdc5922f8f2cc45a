"""Which model an import is of: as the user says, as the kit has it, or as the tools' own files call it."""

from __future__ import annotations

import re

from porter.contracts.progress import Progress
from porter.contracts.requests import ModelRequest
from porter.contracts.returned import Returned
from porter.errors import BadInput, did_you_mean, one_line
from porter.hosting.registry import Registry
from porter.hosting.specs import SpecFault, checked_spec
from porter.importing.import_request import ImportRequest
from porter.records.spec import ModelSpec


def require_sense(request: ImportRequest, registry: Registry) -> None:
    """Stop before any file is read where the options contradict each other, or name an unknown model."""
    if request.config is not None and request.variant is not None:
        raise BadInput("--config and --variant cannot be combined: the config names the variant")
    if request.model is not None:
        offer, _ = registry.model(request.model)
        if request.variant is not None:
            _published(request.model, offer.variants, request.variant)


def model_of(request: ImportRequest, returned: Returned, registry: Registry, progress: Progress) -> ModelSpec:
    """The model: by its config, its variant, as the kit has it, or as the files name it. Raises `BadInput`."""
    kit = returned.spec
    name = request.model or (kit.name if kit else None)
    if request.config is None and request.variant is None and kit is None:
        named = _named_in(returned, registry, name)
        if named is not None:
            progress.note(f"the reports name {named[1]!r}; using {named[0].name} {named[0].variant}".rstrip())
            return named[0]
    if name is None:
        raise BadInput(f"{one_line(request.folder)}: cannot tell which model this is. Use --model NAME")
    offer, hooks = registry.model(name)
    if request.config is not None:
        return hooks.describe(ModelRequest(model=name, config=request.config))
    if request.variant is not None:
        return _published(name, offer.variants, request.variant)
    if kit is not None and kit.name == name:
        try:
            return checked_spec(kit)
        except SpecFault as fault:
            raise BadInput(f"{one_line(returned.kit or request.folder)}: {fault}") from None
    if len(offer.variants) == 1:
        return offer.variants[0]
    listed = ", ".join(_by_name(offer.variants)) or "none"
    raise BadInput(f"model {name!r} has the variants {listed}. Use --variant or --config")


def _published(name: str, variants: tuple[ModelSpec, ...], wanted: str) -> ModelSpec:
    known = _by_name(variants)
    if wanted not in known:
        listed = ", ".join(known) or "none"
        raise BadInput(f"--variant {one_line(wanted)}: model {name!r} has {listed}{did_you_mean(wanted, known)}")
    return known[wanted]


def _by_name(variants: tuple[ModelSpec, ...]) -> dict[str, ModelSpec]:
    return {one.variant or one.name: one for one in variants}


def _named_in(returned: Returned, registry: Registry, model: str | None) -> tuple[ModelSpec, str] | None:
    """The one published variant that the files name, and how they call it; None unless it is one.

    `model` narrows the search to one model.
    """
    stems = {_plain(name): name for name in sorted(returned.model_names)}
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

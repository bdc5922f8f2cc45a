"""The conformance check: everything that core and other plugins rely on, in one call."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from porter.errors import PorterError, one_line
from porter.hosting.manager import create_registry
from porter.hosting.registry import Registry
from porter.records.request import RunRequest
from porter.testing import answers, form_checks, model, pixels
from porter.testing import document_checks as documents
from porter.testing import graph_checks as graph
from porter.testing import offer_checks as offers
from porter.testing import runtime_checks as runtimes
from porter.testing import scorer_checks as scorers
from porter.testing.made_images import ImageSet
from porter.testing.tried_model import Check, Problem, Subject

QUICK: dict[str, Any] = {"batch_sizes": (2,), "bench_seconds": 0.0}
"""Options of a run that proves and does not measure."""

CHECKS = (
    Check(name="registration", hook="plugin", find=offers.registration, of_model=False),
    Check(name="imports", hook="porter_models", find=offers.cheap, needs=("registration",), of_model=False),
    Check(name="tasks", hook="porter_tasks", find=offers.tasks, needs=("registration",), of_model=False),
    Check(name="runtimes", hook="porter_runtimes", find=runtimes.runtimes, needs=("registration",), of_model=False),
    Check(name="forms", hook="porter_forms", find=form_checks.forms, needs=("registration",), of_model=False),
    Check(name="models", hook="porter_models", find=offers.models, needs=("registration",)),
    Check(name="describe", hook="porter_describe", find=model.describe, needs=("models",)),
    Check(name="preprocess", hook="porter_preprocess", find=pixels.preprocess, needs=("describe",)),
    Check(name="preprocess-spec", hook="porter_preprocess", find=pixels.agrees_with_spec, needs=("preprocess",)),
    Check(name="load", hook="porter_load", find=model.load, needs=("preprocess",)),
    Check(name="postprocess", hook="porter_postprocess", find=answers.postprocess, needs=("load",)),
    Check(name="scorer", hook="porter_tasks", find=scorers.scorer, needs=("postprocess",)),
    Check(name="export", hook="porter_export", find=graph.export, needs=("load",)),
    Check(name="parity", hook="porter_export", find=graph.parity, needs=("export", "postprocess")),
    Check(name="documents", hook="porter_describe", find=documents.documents, needs=("parity",)),
    Check(name="forms-run", hook="porter_forms", find=form_checks.forms_of_a_run, needs=("documents", "forms")),
)
"""Every check, in order: one comes after those that it needs."""


class ConformanceError(AssertionError):
    """A plugin does not conform; `problems` has every finding."""

    def __init__(self, title: str, problems: tuple[Problem, ...], unchecked: Iterable[str]) -> None:
        self.problems = problems
        lines = [title, *(f"  {problem}" for problem in problems)]
        left_out = ", ".join(unchecked)
        super().__init__("\n".join([*lines, f"not checked because of that: {left_out}"] if left_out else lines))


def plugin_name(plugin: object) -> str:
    """The name under which the kit registers a plugin."""
    return str(getattr(plugin, "__name__", type(plugin).__name__))


def registry_of(*plugins: object) -> Registry:
    """A registry of core's own plugins and these, whatever is installed."""
    return create_registry([(plugin_name(plugin), plugin) for plugin in plugins], disabled=())


def check_conformance(
    plugin: object,
    model: str = "",
    *,
    images: ImageSet,
    folder: Path,
    registry: Registry | None = None,
    **options: Any,
) -> None:
    """Examine a plugin and one of its models. Nothing is measured, and accuracy is not judged.

    Args:
        plugin: The module or object that the entry point names.
        model: One of the models that it offers; empty for a plugin that offers none.
        images: Images and labels of the model's task.
        folder: Where the run is written; must be empty.
        registry: Where the plugin is registered under `plugin_name(plugin)`; None: with core's plugins only.
        options: Fields of `porter.records.request.RunRequest`, e.g. `checkpoint` where the plugin ships none.

    Raises:
        ConformanceError: names each hook that does something wrongly, and what is wrong.
    """
    __tracebackhide__ = True
    files = {"data": str(images.data), "labels": None if images.labels is None else str(images.labels)}
    subject = Subject(
        plugin=plugin,
        name=plugin_name(plugin),
        registry=registry_of(plugin) if registry is None else registry,
        model=model,
        request=RunRequest(**{"model": model, **files, **QUICK, **options}),
        folder=folder,
    )
    problems: list[Problem] = []
    failed: set[str] = set()
    unchecked: list[str] = []
    for check in CHECKS:
        if check.of_model and not model:
            continue
        if failed.intersection(check.needs):
            unchecked.append(check.name)
            failed.add(check.name)
            continue
        found = _found(check, subject)
        if found:
            failed.add(check.name)
        problems += found
    if problems:
        what = f"plugin {subject.name!r}" + (f", model {model!r}," if model else "")
        raise ConformanceError(f"{what} does not conform:", tuple(problems), unchecked)


def _found(check: Check, subject: Subject) -> list[Problem]:
    """What a check finds; an error that it did not expect is a finding, too."""
    found: list[Problem] = []
    try:
        found += check.find(subject)
    except PorterError as error:
        found.append(Problem(check.hook, str(error)))
    except (Exception, SystemExit) as error:  # a plugin can raise anything, and answer with what nobody expects
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        found.append(Problem(check.hook, f"{type(error).__name__}: {one_line(error)} ({place})"))
    return found

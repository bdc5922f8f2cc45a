"""What a form is: the documents that a platform publishes, in its own order and words, with the files they speak of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from porter.records.record import RunRecord

DOCUMENT = "README.md"


@dataclass(frozen=True, kw_only=True)
class StandAlone:
    """A model's network as Python files that need no porter, for scripts that are published with the model."""

    files: tuple[Path, ...]
    """The files, which are copied side by side. `from PACKAGE.FILE import …` of one of them becomes
    `from FILE import …`. The first has `build_network(model, config)`: the name of the model and the path of its
    config, or None, to a `torch.nn.Module` with any weights, whose state dict is the checkpoint's."""
    requirements: tuple[str, ...] = ()
    """Distributions that they import, torch aside."""
    takes_config: bool = True
    """Whether `build_network` reads a config."""
    wrapped: bool = False
    """Whether the first file also has `wrap_network(network)`, which gives the module to export once the weights are
    loaded."""
    finishes: bool = False
    """Whether the first file also has `finish_export(path)`, which changes the exported ONNX file in place."""

    def sources(self) -> dict[str, str]:
        """The text of each file by its name, such that it finds the others beside it."""
        stems = "|".join(re.escape(path.stem) for path in self.files)
        inside = re.compile(rf"^(\s*from )[A-Za-z_]\w*\.({stems})( import )", re.MULTILINE)
        return {path.name: inside.sub(r"\1\2\3", path.read_text(encoding="utf-8")) for path in self.files}


class Render(Protocol):
    """How a form renders one of its templates."""

    def __call__(self, template: str, language: str = "en", **values: object) -> str:
        """The document, from the record and `values`. Raises `BadInput` with the template's line."""


@dataclass(frozen=True, kw_only=True)
class FormRequest:
    """What a form is filled in from."""

    record: RunRecord
    """The run. Its model is known; every other section may be missing."""
    render: Render
    """Renders a template of the form's folder, or of core."""
    standalone: StandAlone | None = None
    """The network's own code; None: the model's plugin offers none."""
    config: Path | None = None
    """The model's config, if it is still at hand and what the run read."""


class Form:
    """A form that a plugin offers through `porter_forms`. It is written to a folder of its own name."""

    name: str
    """The name on the command line."""
    title: str
    """What it is, in one line."""
    templates: Path | None = None
    """Folder of templates that go before core's, with catalogues in `languages/` beside them; None: core's alone."""
    languages: tuple[str, ...] = ("en",)
    """Languages of its documents, that of README.md first."""
    uses_code: bool = False
    """Whether it uses `FormRequest.standalone`, so that the model's plugin must be at hand."""
    tasks: tuple[str, ...] = ()
    """Tasks whose models it can describe; empty: all."""

    def files(self, request: FormRequest) -> Mapping[str, bytes]:
        """The content of every file of its folder, by its path there. By default the template `README.md.j2` in each
        language: README.md, and README.LANGUAGE.md for all but the first."""
        first, *others = self.languages
        names = {first: DOCUMENT} | {language: f"README.{language}.md" for language in others}
        return {name: request.render("README.md.j2", language).encode() for language, name in names.items()}

"""Arguments and results of the model hooks.

All are frozen and take keywords only, so that a later version can add a field without breaking a plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.contracts.form import StandAlone
from porter.records.loaded import LoadReport
from porter.records.manifest import Item
from porter.records.spec import ModelSpec

if TYPE_CHECKING:
    from porter.contracts.runtime import Session


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """What a plugin ships, used where the user names no file of their own. Absent parts must be given."""

    config: Path | None = None
    """The model's config."""
    checkpoint: Path | None = None
    """Its weights."""
    data: Path | None = None
    """Folder of images."""
    labels: Path | None = None
    """Their labels."""
    note: str = ""
    """Origin and licence, for the documents."""


@dataclass(frozen=True, kw_only=True)
class ModelOffer:
    """One name that can be given to `porter run`."""

    name: str
    """The name on the command line: one word of letters, digits and `.`, `_`, `+`, `-`."""
    title: str
    """What it is, in a few words."""
    variants: tuple[ModelSpec, ...]
    """The published variants, each complete; a config may describe another one."""
    shipped: Shipped | None = None
    """What is used where the user names no file; None: the plugin ships none."""
    takes_name: bool = False
    """Whether `--config` may be the name of a variant in place of a file, such as an architecture of a library."""
    needs_checkpoint: bool = True
    """False where the weights come with the config or the package."""
    templates: Path | None = None
    """Folder of templates that go before core's, with catalogues in `languages/` beside them; None: core's alone."""
    standalone: StandAlone | None = None
    """The network's own code, for scripts that are published with the model; None: it needs porter."""


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """Which model, by which config."""

    model: str
    """Name of the offer."""
    config: Path | None = None
    """The config that was given or shipped; None: neither."""
    name: str = ""
    """The name that was given in place of a config, where `ModelOffer.takes_name`."""
    checkpoint: Path | None = None
    """The weights that were given or shipped, for what the config does not say."""


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """What to load, and how far to trust it."""

    spec: ModelSpec
    """What `porter_describe` answered."""
    config: Path | None = None
    """The config that was given or shipped."""
    checkpoint: Path | None = None
    """The weights that were given or shipped."""
    weights: str | None = None
    """Which weights of the checkpoint, e.g. `state_dict_ema`; None: the plain ones."""
    trust_checkpoint: bool = False
    """True: the file may be unpickled, which runs whatever code it contains."""
    threads: int | None = None
    """Threads of a session that the plugin opens as the reference; None: as many as this process may use."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in memory, in eval mode."""

    spec: ModelSpec
    """The spec, completed by what only the weights tell."""
    report: LoadReport
    """What was loaded, renamed, skipped and forgiven."""
    module: Any = None
    """A `torch.nn.Module`, or whatever the plugin's own `porter_export` takes."""
    reference: Session | None = None
    """Runs the model as it was loaded; None: core runs `module` with PyTorch."""


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Where to write the ONNX file, and at which opset."""

    path: Path
    """The file to write; it takes its final name once it passed core's checks."""
    opset: int = 11
    """Opset of ONNX's default domain."""
    dynamic_batch: bool = True
    """Whether the first dimension of inputs and outputs must be free."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An ONNX file that was written. Core reads it again and checks it before anything is built on it."""

    path: Path
    """The file that was written: `ExportRequest.path`."""
    exporter: str
    """What wrote it, with its version."""
    call: str
    """The call that wrote it, for the documents."""
    source: Path | None = None
    """The user's file that it is a copy of, which errors then name; None: it was made."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One decoded image."""

    id: str
    """Its path relative to the data folder."""
    pixels: Any
    """numpy uint8 H×W×3, RGB."""
    box: tuple[float, float, float, float] | None = None
    """The item's part of the image: left, top, width, height in pixels; None: the whole."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What one row of outputs was made from."""

    item: Item
    """The item of the manifest."""
    size: tuple[int, int] | None = None
    """Height and width of the image in pixels, as it was decoded; None: it is no image."""

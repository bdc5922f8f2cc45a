"""What an import is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_MAX_DROP = 1.0


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What to import, and what it is compared with."""

    runtime: str
    """Name of the runtime whose tools left the files."""
    folder: Path
    """What came back."""
    model: str | None = None
    """Name of the model; None: the kit's."""
    variant: str | None = None
    """One of the model's published variants."""
    config: Path | None = None
    """The model's config, where it is no published variant."""
    labels: Path | None = None
    """Lines `NAME label`; None: the kit's."""
    data: Path | None = None
    """The images, for a task whose labels are no numbers."""
    label_offset: int = 0
    """Subtracted from every label."""
    batch_sizes: tuple[int, ...] = ()
    """Batch sizes that must have been measured; empty: the kit's, or what is there."""
    devices_per_card: int | None = None
    """Devices on one card."""
    options: tuple[str, ...] = ()
    """Options of the runtime's own: `RUNTIME.NAME=VALUE`."""
    form: str | None = None
    """Name of the form in which the documents are written as well."""
    templates: Path | None = None
    """Folder of the user's own templates."""
    host_facts: Path | None = None
    """File that states what no report says of the host and the model."""
    max_drop: float = DEFAULT_MAX_DROP
    """Percentage points that the gate metric may lose."""
    plugin_files: tuple[str, ...] = ()
    """Files that were loaded as plugins."""
    command: str = ""
    """The command line as typed."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of `porter` that import the same again, without `--out`."""
        options = {
            "--model": self.model,
            "--variant": self.variant,
            "--config": self.config,
            "--labels": self.labels,
            "--data": self.data,
            "--label-offset": self.label_offset or None,
            "--batch-sizes": ",".join(map(str, self.batch_sizes)) or None,
            "--devices-per-card": self.devices_per_card,
            "--template": self.form,
            "--host-facts": self.host_facts,
            "--max-drop": None if self.max_drop == DEFAULT_MAX_DROP else f"{self.max_drop:g}",
        }
        given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
        own = [part for option in self.options for part in ("--option", option)]
        own += [part for file in self.plugin_files for part in ("--plugin", file)]
        return ("import", self.runtime, str(self.folder), *given, *own)

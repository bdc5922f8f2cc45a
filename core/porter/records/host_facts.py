"""What the user states of a host and of the delivered model, where no tool can read it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """The content of the file of `--host-facts`. Nothing of it was measured; an empty text was not given."""

    chip: str = ""
    """The chip, as its compiler names it."""
    card: str = ""
    """The board that carries the chip."""
    devices_per_card: int | None = None
    """Chips on one board."""
    driver: str = ""
    """Version of the driver."""
    firmware: str = ""
    """Version of the firmware."""
    host: str = ""
    """Name or model of the host."""
    os: str = ""
    """Operating system of the host, with its architecture."""
    versions: dict[str, str] = field(default_factory=dict)
    """Version of each piece of software on the host, by its name: toolkit, tools, Python, packages."""
    code_branch: str = ""
    """Branch of the authors' code that the model was made with."""
    code_commit: str = ""
    """Commit of the authors' code that the model was made with."""
    code_path: str = ""
    """Where in the code the model is, as its hub asks for it."""
    checkpoint: str = ""
    """File name of the weights that were converted."""
    checkpoint_md5: str = ""
    """MD5 of that file, as model zoos publish it."""
    checkpoint_url: str = ""
    """Address from which that file can be had."""
    licence: str = ""
    """Licence of the weights, where the model's plugin names none."""
    opset: int | None = None
    """Opset of the ONNX file that was converted."""

    def version(self, name: str) -> str:
        """The version of a piece of software, whatever the case of its name; empty: not given."""
        return next((version for known, version in self.versions.items() if known.lower() == name.lower()), "")

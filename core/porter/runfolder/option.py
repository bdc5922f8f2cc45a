"""One option of the command line, as a row of `option_table` describes it."""

from __future__ import annotations

import enum
from dataclasses import MISSING, dataclass, fields
from typing import Any

from porter.records.request import RunRequest

LANGUAGES = ("en", "zh")


class Heading(enum.StrEnum):
    """The headings of a long help, in order."""

    MODEL = "Model"
    DATA = "Data"
    TARGETS = "Targets"
    ACCURACY = "Accuracy"
    SPEED = "Speed"
    DOCUMENTS = "Documents"
    EXECUTION = "Execution"


class Kind(enum.Enum):
    """What the value of an option is."""

    TEXT = enum.auto()
    YES = enum.auto()
    """A flag without a value."""
    INTEGER = enum.auto()
    COUNT = enum.auto()
    """A whole number from 1 on."""
    AMOUNT = enum.auto()
    """A finite number from 0 on."""
    CHOICE = enum.auto()
    BATCH_SIZES = enum.auto()
    LANGUAGES = enum.auto()
    RESOURCES = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the command line."""

    field: str
    """The field of `RunRequest` that it fills; of an option in `HOW`, its name alone."""
    flags: tuple[str, ...] = ()
    """As typed, the usual one first; none: `--` and the field's name with hyphens. The model is an argument."""
    kind: Kind = Kind.TEXT
    metavar: str = ""
    """What stands for the value in the help; empty: the kind says it."""
    choices: tuple[str, ...] = ()
    help: str
    """One sentence, without the default."""
    default: str = ""
    """The default in words, where the field's own says too little."""
    repeated: bool = False
    """Given once for each value."""
    heading: Heading
    advanced: bool = False
    """Rarely needed: it stands at the end of the help."""
    makes: tuple[str, ...] = ()
    """Sections of the record that are made from it, and stale when it changes."""
    commands: tuple[str, ...]
    """Commands that take it."""
    each_time: bool = False
    """It lets code run. So it is given with each command and never read from a record, which may be somebody else's."""

    @property
    def flag(self) -> str:
        """The flag that porter writes."""
        return self.flags[0] if self.flags else f"--{self.field.replace('_', '-')}"

    @property
    def shown_default(self) -> str:
        """The default as the help shows it; empty: none, or no default worth a word."""
        value = DEFAULTS.get(self.field)
        if self.default or value is None or isinstance(value, bool) or value == ():
            return self.default
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return f"{value:g}" if isinstance(value, float) else str(value)


DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(RunRequest) if f.default is not MISSING}
"""Field of `RunRequest`: its default."""

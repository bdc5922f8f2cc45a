"""The names of everything in a run's folder (OUT)."""

from __future__ import annotations

from collections.abc import Sequence

from porter.runfolder.option import LANGUAGES

RECORD_NAME = "run.json"
README, REPORT, REPRODUCE = "README.md", "report.html", "reproduce.sh"
PREDICTIONS = "predictions.csv"
MODELS = "models"
"""Folder of the exported file and the artefacts."""
KIT = "kit"
"""Folder of the kit; with several, the beginning of their names."""
LOGS = "logs"
"""Folder of what a runtime's tools printed."""
TENSORS, OUTPUTS = "tensors", "outputs"
"""Folders of the arrays that stages keep when they run alone."""
CACHE = "cache"
"""Folder of what a run keeps for the next one."""
APART = f"{CACHE}/apart"
"""Folder of an artefact's files alone, as long as it is verified."""
JOURNALS = f"{CACHE}/predictions"
"""Folder of the journals of evaluations."""
LINES = ".jsonl"
"""How the name of a file of checked lines ends, such as a journal's."""
TRACES = f"{CACHE}/reference-outputs{LINES}"
"""What is kept of the reference's outputs, which those of artefacts are compared with."""
ATTEMPTS = f"{CACHE}/int8"
"""Folder of the attempts of an interrupted search for int8."""
ATTEMPTS_LOG = f"attempts{LINES}"
"""What came of them, in that folder."""
INDEX = f"index{LINES}"
"""The list in a folder of arrays."""
DOCUMENTS = (README, *(f"README.{language}.md" for language in LANGUAGES), REPRODUCE, REPORT)
"""The documents, which are made from the record alone; a form of the documents has a folder of its own name."""


def readmes(languages: Sequence[str]) -> dict[str, str]:
    """The README of each language: the first is README.md, each further one says its language in its name."""
    return {name: README if place == 0 else f"README.{name}.md" for place, name in enumerate(languages)}


def journal_of(evaluation: str) -> str:
    """The journal of an evaluation."""
    return f"{JOURNALS}/{evaluation}{LINES}"


def attempt_graph(number: int) -> str:
    """The graph of an attempt, in `ATTEMPTS`."""
    return f"attempt-{number}.onnx"


def depth_chart_of(artefact: str) -> str:
    """The drawing of an artefact's error along its depth, which diagnosis makes."""
    return f"diagnosis-{artefact}.svg"

"""predictions.csv as a comparison needs it: of each evaluation what was scored, in a byte an image."""

from __future__ import annotations

import csv
import hashlib
from array import array
from dataclasses import dataclass, field
from pathlib import Path

from porter.errors import BadInput, one_line
from porter.files.hashes import file_digest
from porter.files.received import lines_of, open_regular
from porter.records.record import RunRecord
from porter.runfolder.layout import PREDICTIONS

NEEDED = ("image", "label", "evaluation", "score")


@dataclass
class Scores:
    """One evaluation."""

    values: array[float] = field(default_factory=lambda: array("f"))
    """Score of each image, in the order of the file."""
    manifest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def manifest_sha256(self) -> str:
        """Over its `id TAB label` lines, as the record has it of the manifest."""
        return self.manifest.hexdigest()

    @property
    def binary(self) -> bool:
        """Whether every image is right or wrong, and nothing between."""
        return set(self.values) <= {0.0, 1.0}


def read_scores(folder: Path, record: RunRecord) -> dict[str, Scores]:
    """The scores of each evaluation by its name. Raises `BadInput` where the file is not what the run wrote."""
    path = folder / PREDICTIONS
    known = next((file for file in record.files if file.path == PREDICTIONS), None)
    if known is None:
        raise BadInput(f"{one_line(folder)}: its record names no {PREDICTIONS}")
    if not path.is_file():
        raise BadInput(f"{one_line(path)}: no such file")
    if file_digest(path) != known.sha256:
        raise BadInput(f"{one_line(path)}: not what the run wrote")
    found: dict[str, Scores] = {}
    try:
        with open_regular(path) as stream:
            rows = csv.reader(line.decode() for line in lines_of(stream, "line of predictions.csv"))
            header = next(rows, [])
            places = [header.index(name) for name in NEEDED]
            for row in rows:
                image, label, evaluation, score = (row[place] for place in places)
                scores = found.setdefault(evaluation, Scores())
                # "./" keeps a name from being a formula, see `porter.pipeline.evaluation.scoring.no_formula`.
                scores.manifest.update(f"{image.removeprefix('./')}\t{label}\n".encode())
                scores.values.append(float(score))
    except (ValueError, IndexError, csv.Error) as error:
        raise BadInput(f"{one_line(path)}: cannot be read: {one_line(error)}") from None
    return found

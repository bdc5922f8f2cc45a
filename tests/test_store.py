"""Files that appear whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from porter.errors import BadInput
from porter.files.whole import whole_file
from porter.records.artefact import Artefact
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.runfolder.record_file import read_record, write_record

LIMITED = """
import resource, sys
from pathlib import Path
from porter.files.whole import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path(sys.argv[1]), bytes(2000))
except OSError as error:
    print(error.filename)
"""


def test_a_write_that_fails_names_the_file_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("before")
    done = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}\n"
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_an_error_of_its_own_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "new"):
        (tmp_path / "absent").read_bytes()
    assert caught.value.filename == str(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../elsewhere.onnx", "models/../../x.onnx"])
def test_a_record_that_leads_out_of_its_folder_is_refused(tmp_path: Path, path: str) -> None:
    artefact = Artefact(runtime="onnxruntime", precision="fp32", path=path)
    request = RunRequest(model="tiny")
    write_record(tmp_path, RunRecord(porter="0", created="", command="", request=request, artefacts=(artefact,)))
    with pytest.raises(BadInput, match="leads out of the run folder"):
        read_record(tmp_path)

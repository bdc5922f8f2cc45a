"""A runtime that cannot take the model, beside one that can: it alone is missing, with its reason, at every stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import start, write_photos

from porter import Artefact, BuildRequest, Missing, OnnxRuntime, OpenRequest, Runtime, RuntimeStatus, Session, hookimpl
from porter.cli.run_summary import summary_lines
from porter.errors import BadInput, ExitCode, PorterError
from porter.pipeline.run import Run


class Refusing(Runtime):
    """ONNX Runtime under another name, which refuses at `stage` with `error`."""

    name = "refusing"

    def __init__(self, stage: str, error: PorterError) -> None:
        self._stage, self._error, self._opened = stage, error, 0

    def status(self) -> RuntimeStatus:
        return RuntimeStatus(available=True, version="1", precisions=("fp32",))

    def build(self, request: BuildRequest) -> Artefact:
        if self._stage == "build":
            raise self._error
        made = OnnxRuntime().build(request)
        return Artefact(
            runtime=self.name, precision="fp32", path=made.path, sha256=made.sha256, size_bytes=made.size_bytes
        )

    def open(self, request: OpenRequest) -> Session:
        alone = request.batch is not None  # as it is timed
        if self._stage == ("bench" if alone else "verify"):
            raise self._error
        return OnnxRuntime().open(request)


class Offering:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @hookimpl
    def porter_runtimes(self) -> list[Runtime]:
        return [self._runtime]


def run_of(folder: Path, stage: str, error: PorterError, *runtimes: str) -> Run:
    labels = write_photos(folder / "val", [0, 1, 2] * 4)
    beside = [("refusing", Offering(Refusing(stage, error)))]
    return start(folder / "out", folder / "val", labels, beside=beside, runtimes=runtimes, batch_sizes=(1,), batch=2)


@pytest.mark.parametrize("error", [BadInput("no rule for Op 'Col2Im'"), Missing("libdevice.so is too old")])
@pytest.mark.parametrize(
    ("stage", "said"), [("build", "NOT BUILT"), ("verify", "NOT VERIFIED"), ("bench", "NOT MEASURED")]
)
def test_it_alone_is_missing(tmp_path: Path, stage: str, said: str, error: PorterError) -> None:
    run = run_of(tmp_path, stage, error, "refusing", "onnxruntime")
    assert run.everything() is ExitCode.VERDICT_FAILED
    lines = summary_lines(tmp_path / "out", run.record)
    assert f"{said} refusing-fp32: {error}" in lines
    assert "onnxruntime-fp32" in {one.artefact for one in run.record.performance}
    assert run.record.evaluation("onnxruntime-fp32") is not None
    for name in ("README.md", "README.zh.md", "report.html"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8").replace("&#39;", "'")
        assert str(error) in text, name


@pytest.mark.parametrize("error", [BadInput("no rule for Op 'Col2Im'"), Missing("libdevice.so is too old")])
def test_alone_it_ends_the_run(tmp_path: Path, error: PorterError) -> None:
    with pytest.raises(type(error), match=str(error)):
        run_of(tmp_path, "build", error, "refusing").everything()


def test_what_was_scored_is_delivered_without_a_speed(tmp_path: Path) -> None:
    run = run_of(tmp_path, "bench", BadInput("not enough memory for a batch of 1"), "refusing")
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert run.record.evaluation("refusing-fp32") is not None and run.record.performance == ()
    assert "NOT MEASURED refusing-fp32: not enough memory for a batch of 1" in summary_lines(
        tmp_path / "out", run.record
    )

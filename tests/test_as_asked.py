"""What was asked is what runs: a session's own account against what it was opened with, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import TinyPlugin, start, write_photos

from porter import hookimpl
from porter.builtin.onnxruntime import OnnxRuntime
from porter.contracts.runtime import BuildRequest, OpenRequest, Runtime, RuntimeStatus, Session
from porter.errors import ExitCode, PluginError
from porter.pipeline.evaluation.subject import Subject
from porter.pipeline.job.as_asked import FIELDS, NotAsAsked, is_provider, require_as_asked
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.run import Run
from porter.records.artefact import Artefact, SessionInfo
from porter.records.message import Message
from porter.records.record import State
from porter.testing import ConformanceError, check_conformance, write_image_set

REASON = Message("the maker chose so")


class Saying(OnnxRuntime):
    """Runs as ONNX Runtime does, and says of its sessions what it is told to."""

    name = "saying"

    def __init__(self, **said: Any) -> None:
        self.said = said

    def status(self) -> RuntimeStatus:
        return replace(super().status(), precisions=("fp32", "bf16"))

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name)

    def open(self, request: OpenRequest) -> Session:
        session = super().open(request)
        session.info = replace(session.info, runtime=self.name, **self.said)
        return session


class Offering(TinyPlugin):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.runtime = runtime

    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [self.runtime]


LIES: list[tuple[dict[str, Any], str]] = [
    ({"precision": "bf16"}, "requested fp32, but its session computes in bf16"),
    ({"layers": {"bf16": 2, "fp32": 1}}, "requested fp32, but its session computes 2 layers in bf16"),
    ({"threads": 7}, "requested 1 thread, but its session uses 7"),
    ({"streams": 3}, "requested 1 stream, but its session has 3"),
    ({"provider": "CUDAExecutionProvider"}, "requested provider cpu, but its session runs on CUDAExecut"),
    ({"batch": 5}, "requested any batch size, but its session is fixed to batch size 5"),
]


def run_of(folder: Path, runtime: Runtime, **options: Any) -> Run:
    labels = write_photos(folder / "val", [0, 1, 2] * 3)
    given = {"runtimes": (runtime.name,), "provider": "cpu", **options}
    return start(folder / "out", folder / "val", labels, plugin=Offering(runtime), **given)


@pytest.mark.parametrize(("said", "told"), LIES, ids=lambda one: next(iter(one)) if isinstance(one, dict) else "")
def test_what_is_not_as_asked_ends_the_target(said: dict[str, Any], told: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, Saying(**said), runtimes=("onnxruntime", "saying"))
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert [one.candidate for one in run.record.parity] == ["onnxruntime-fp32"]
    [left_out] = run.record.unfinished
    assert left_out.artefact == "saying-fp32" and f"runtime saying {told}" in str(left_out.reason)
    assert [one.artefact for one in run.record.performance[:1]] == ["onnxruntime-fp32"], "the other is delivered"
    verdict = next(one for one in run.record.verdicts if one.name == "parity")
    assert verdict.state is State.FAIL
    assert f"runtime saying {told}" in (tmp_path / "out/README.md").read_text()
    with pytest.raises(NotAsAsked, match=f"^runtime saying {told}"):
        open_artefact(run.job, run.record.artefacts[1])


def test_a_precision_that_is_another_fails_where_the_headline_would_say_it(tmp_path: Path) -> None:
    run = run_of(tmp_path, Saying(precision="fp32"), precisions=("bf16",))
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert "requested bf16, but its session computes in fp32" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize(("said", "told"), LIES[1:5], ids=lambda one: next(iter(one)) if isinstance(one, dict) else "")
def test_what_is_announced_runs_and_is_told(said: dict[str, Any], told: str, tmp_path: Path) -> None:
    field = {"layers": "precision"}.get(next(iter(said)), next(iter(said)))
    run = run_of(tmp_path, Saying(**said, announced={field: REASON}), max_drop=50.0)
    assert run.everything() is ExitCode.OK
    found = run.record.evaluation("saying-fp32")
    assert found is not None and found.session.announced == {field: REASON}
    english = (tmp_path / "out/README.md").read_text()
    assert english.count(f"`{field}` as the runtime decides: the maker chose so") == 2, "of accuracy and of speed"
    assert f"`{field}` 由推理引擎决定：the maker chose so" in (tmp_path / "out/README.zh.md").read_text()
    assert (
        f"<code>{field}</code> as the runtime decides: the maker chose so" in (tmp_path / "out/report.html").read_text()
    )


def test_streams_that_nobody_asked_for_may_be_fewer(tmp_path: Path) -> None:
    run = run_of(tmp_path, Saying(streams=1))
    run.export(), run.verify()
    artefact = run.record.artefacts[0]
    with Subject(artefact=artefact).opened(replace(run.job, request=replace(run.job.request, threads=2))) as session:
        assert session.info.streams == 1
    with pytest.raises(NotAsAsked, match="requested 2 streams, but its session has 1"):
        open_artefact(run.job, artefact, streams=2, threads=2)


def test_threads_that_streams_cannot_share_evenly_are_announced(tmp_path: Path) -> None:
    run = run_of(tmp_path, Saying(), runtimes=("onnxruntime",))
    run.export(), run.verify()
    with closing(open_artefact(run.job, run.record.artefacts[0], threads=3, streams=2)) as session:
        assert (session.info.threads, session.info.streams) == (2, 2)
        assert str(session.info.announced["threads"]) == "all 2 streams have the same number of threads"


def test_the_reference_is_held_to_its_threads(tmp_path: Path) -> None:
    class Reference(TinyPlugin):
        @hookimpl
        def porter_load(self, request: Any) -> Any:
            loaded = super().porter_load(request)
            from porter.builtin.pytorch import TorchSession

            session = TorchSession(loaded.module, ("image",), ("class",), 1)
            session.info = replace(session.info, threads=9)
            return replace(loaded, reference=session)

    run = start(tmp_path / "out", tmp_path / "val", write_photos(tmp_path / "val", [0, 1, 2]), plugin=Reference())
    run.export()
    with pytest.raises(
        PluginError, match=r"'tiny': the session of the reference was requested with 1 threads .* uses 9"
    ):
        run.verify()


def test_a_session_that_says_nothing_is_its_plugins_fault(tmp_path: Path) -> None:
    class Silent(Saying):
        def open(self, request: OpenRequest) -> Session:
            session = super().open(request)
            session.info = "fp32"  # type: ignore[assignment]
            return session

    run = run_of(tmp_path, Silent())
    run.export()
    with pytest.raises(PluginError, match="plugin 'tiny': `info` of the session of runtime 'saying' is str"):
        run.verify()


@pytest.mark.parametrize("said", [{"version": 3}, {"layers": "abc"}, {"threads": "one"}])
def test_a_field_of_another_type_is_its_plugins_fault(said: dict[str, Any], tmp_path: Path) -> None:
    """It would be written to run.json, which nothing could read again."""
    run = run_of(tmp_path, Saying(**said))
    run.export()
    with pytest.raises(PluginError, match=rf"of runtime 'saying': Expected .* at `\$\.{next(iter(said))}`"):
        run.verify()


@pytest.mark.parametrize(
    ("asked", "found", "same"),
    [
        ("cpu", "CPUExecutionProvider", True),
        ("CPUExecutionProvider", "CPUExecutionProvider", True),
        ("CPU", "CPU", True),
        ("cuda", "cuda:0", True),
        ("GPU", "GPU.1", True),
        ("GPU", "CPU, GPU", True),
        ("0", "Some chip, device 0, through a tool", True),
        ("1", "Some chip, device 0, through a tool", False),
        ("cpu", "CUDAExecutionProvider", False),
        ("GPU", "GPUX", False),
        ("C.U", "CPU", False),
    ],
)
def test_a_short_name_is_the_same_provider(asked: str, found: str, same: bool) -> None:
    assert is_provider(asked, found) is same


@pytest.mark.parametrize(
    ("precision", "layers", "runs"),
    [
        ("bf16", {"bf16": 50, "fp32": 3}, True),
        ("bf16", {"fp32": 53}, False),
        ("bf16", {"bf16": 50, "int8": 3}, False),
        ("int8", {"fp32": 3, "int8": 50}, True),
        ("int8", {"bf16": 3, "int8": 50}, False),
        ("int8", {"fp32": 53}, False),
        ("fp32", {"fp32": 53}, True),
        ("fp32", {}, True),
        ("fp8", {"fp8": 50, "fp32": 3}, True),
    ],
)
def test_layers_may_be_more_exact_than_asked_and_not_less(
    precision: str, layers: dict[str, int], runs: bool, tmp_path: Path
) -> None:
    info = SessionInfo(runtime="r", version="1", precision=precision, provider="CPU", threads=1, layers=layers)
    artefact = Artefact(runtime="r", precision=precision, path="models/a")
    [spec] = TinyPlugin().porter_models()[0].variants
    request = OpenRequest(artefact=artefact, path=tmp_path, spec=spec, threads=1)
    if runs:
        require_as_asked(request, info)
    else:
        with pytest.raises(NotAsAsked, match=rf"requested {precision}, but its session computes \d+ layers"):
            require_as_asked(request, info)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"precision": "fp32"}, "at bf16, precision: requested bf16, but its session computes in fp32"),
        ({"threads": 7}, "at fp32, threads: requested 1 thread, but its session uses 7"),
        ({"streams": 3}, "at fp32, streams: requested 1 stream, but its session has 3"),
        ({"batch": 5}, "at fp32, batch: requested any batch size, but its session is fixed to batch si"),
        ({"announced": {"speed": REASON}}, "announces 'speed', which is none of " + ", ".join(FIELDS)),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_the_kit_finds_it(said: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_conformance(Offering(Saying(**said)), images=write_image_set(tmp_path), folder=tmp_path / "run")
    assert told in str(caught.value)
    assert {problem.hook for problem in caught.value.problems} == {"porter_runtimes"}

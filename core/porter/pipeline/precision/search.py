"""search: int8 graphs made one after the other, each scored, until one passes the gate."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.contracts.runtime import BuildRequest, Runtime
from porter.errors import PorterError
from porter.graphs.quantize.qdq import write_qdq
from porter.graphs.quantize.ranges import METHODS, Method, measure
from porter.graphs.quantize.sensitivity import sensitive_tensors
from porter.pipeline.job.job import Dataset
from porter.pipeline.job.opening import build_artefact, open_artefact
from porter.pipeline.judge.gate import gated
from porter.pipeline.precision.attempts import Attempts
from porter.pipeline.precision.trial import Scored, score
from porter.records.precision import INT8
from porter.records.quantization import Attempt, AttemptScore, SearchEnd, SensitiveTensor
from porter.runfolder.layout import MODELS

if TYPE_CHECKING:
    import numpy as np

SENSITIVITY_IMAGES = 4


@dataclass(frozen=True, kw_only=True)
class Made:
    """An attempt and its file."""

    attempt: Attempt
    path: Path
    method: Method


class Search:
    """The attempts so far. `data` are the images to score them on; `graph` is the float graph to quantise."""

    def __init__(
        self,
        data: Dataset,
        graph: Path,
        feeds: Sequence[dict[str, np.ndarray]],
        attempts: Attempts,
        runtimes: Sequence[Runtime],
        deadline: float,
    ) -> None:
        """`deadline`: by `time.monotonic`, less what earlier commands took; the first attempt is made whatever the
        time. `attempts` knows the reference."""
        self._data, self._job = data, data.job
        self._graph, self._feeds = graph, feeds
        self._attempts, self._runtimes, self._deadline = attempts, runtimes, deadline
        self._ranges: dict[str, Any] = {}
        self.made: list[Made] = []
        self.resumed: list[Attempt] = []
        """Those of them that an earlier command made."""
        self.sensitivity: tuple[SensitiveTensor, ...] = ()

    def run(self) -> SearchEnd:
        """Try the calibration methods, then leave more and more of the most sensitive nodes in float."""
        for method in METHODS:
            if self.made and time.monotonic() > self._deadline:
                return SearchEnd.BUDGET
            if self._attempt(method).passed:
                return SearchEnd.PASSED
        if time.monotonic() > self._deadline:
            return SearchEnd.BUDGET
        base = self.best
        if not base.attempt.quantised_nodes:  # it could not be made: there is nothing to take nodes out of
            return SearchEnd.EXHAUSTED
        few = self._feeds[0]
        if self._job.spec.fixed_batch is None:
            few = {name: values[:SENSITIVITY_IMAGES] for name, values in few.items()}
        self.sensitivity = sensitive_tensors(
            self._graph, base.path, few, threads=self._job.threads, progress=self._job.progress
        )
        for count in _growing(len(self.sensitivity)):
            if time.monotonic() > self._deadline:
                return SearchEnd.BUDGET
            left = dict.fromkeys(node for tensor in self.sensitivity[:count] for node in tensor.nodes)
            if self._attempt(base.method, list(left)).passed:
                return SearchEnd.PASSED
        return SearchEnd.EXHAUSTED

    @property
    def best(self) -> Made:
        """The attempt that passed, or the one that lost least in the runtime where it lost most."""
        return min(self.made, key=lambda one: (not one.attempt.passed, _worst(one.attempt), one.attempt.number))

    def _attempt(self, method: Method, float_nodes: Sequence[str] = ()) -> Attempt:
        number = len(self.made) + 1
        wanted = Attempt(
            number=number, method=method.name, options=dict(method.options), float_nodes=tuple(float_nodes), seconds=0.0
        )
        attempt = self._attempts.earlier(wanted)
        if attempt is None:
            attempt = self._tried(wanted, method)
        else:
            self.resumed.append(attempt)
            self._deadline -= attempt.seconds
        self.made.append(Made(attempt=attempt, path=self._attempts.graph(number), method=method))
        self._job.progress.note(_line(attempt))
        return attempt

    def _tried(self, attempt: Attempt, method: Method) -> Attempt:
        started = time.monotonic()
        path = self._graph.parent / f"attempt-{attempt.number}" / MODELS / f"{INT8}.onnx"
        path.parent.mkdir(parents=True)
        try:
            count = write_qdq(self._graph, self._range(method), path, float_nodes=attempt.float_nodes)
            scores = self._scores(path, attempt.number) if count else ()
            attempt = replace(attempt, quantised_nodes=count, scores=scores)
        except PorterError as error:
            attempt = replace(attempt, problem=str(error))
        passed = bool(attempt.scores) and all(one.passed for one in attempt.scores)
        attempt = replace(attempt, passed=passed, seconds=round(time.monotonic() - started, 3))
        self._attempts.keep(attempt, path)
        return attempt

    def _range(self, method: Method) -> Any:
        if method.name not in self._ranges:
            with self._job.progress.step(f"calibrate: {method.name}", len(self._feeds)) as advance:
                self._ranges[method.name] = measure(self._graph, method, self._feeds, advance)
        return self._ranges[method.name]

    def _scores(self, path: Path, number: int) -> tuple[AttemptScore, ...]:
        request = BuildRequest(onnx=path, spec=self._job.spec, folder=path.parent, precision=INT8)
        sessions, problems = {}, {}
        with ExitStack() as stack:
            for runtime in self._runtimes:
                try:
                    artefact = build_artefact(self._job, runtime, request)
                    session = open_artefact(self._job, artefact, folder=path.parent.parent, check=False)
                    sessions[runtime.name] = stack.enter_context(closing(session))
                    session.info  # noqa: B018 - what really runs is read back here, and may be an error
                except PorterError as error:
                    sessions.pop(runtime.name, None)
                    problems[runtime.name] = Scored(problem=str(error))
            found = {**problems, **score(self._data, sessions, f"score int8 attempt {number}")}
        return tuple(self._judged(runtime.name, found[runtime.name]) for runtime in self._runtimes)

    def _judged(self, runtime: str, scored: Scored) -> AttemptScore:
        reference = self._attempts.reference
        baseline = None if reference is None else reference.value
        found = gated(scored.metric, baseline, self._job.request.max_drop)
        return AttemptScore(
            runtime=runtime,
            metric=scored.metric,
            drop=found.drop,
            nonfinite=scored.nonfinite,
            images_per_second=scored.images_per_second,
            passed=bool(found.passed) and not scored.nonfinite,
            problem=scored.problem,
        )


def _growing(count: int) -> Iterator[int]:
    """1, 2, 4, … below `count`: with all of them in float nothing would be int8."""
    size = 1
    while size < count:
        yield size
        size *= 2


def _worst(attempt: Attempt) -> float:
    """The largest drop over the runtimes; infinite where one of them has none."""
    drops = [math.inf if one.drop is None or one.nonfinite else one.drop for one in attempt.scores]
    return max(drops, default=math.inf)


def _line(attempt: Attempt) -> str:
    left = f", {len(attempt.float_nodes)} nodes in float" if attempt.float_nodes else ""
    found = [
        f"{one.runtime} " + (one.problem if one.drop is None else f"drop {one.drop:.2f}") for one in attempt.scores
    ]
    said = attempt.problem or "; ".join(found) or "no node was quantised"
    return f"int8 attempt {attempt.number}, {attempt.method}{left}: {said}; {'passes' if attempt.passed else 'fails'}"

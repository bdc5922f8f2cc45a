"""Where the comparison takes the candidate's tensors from: a graph, node by node, or any other probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from porter.contracts.probe import Probe
from porter.errors import PorterError, one_line
from porter.graphs.feeds import bind
from porter.graphs.matching import Matching
from porter.graphs.onnx_probe import OnnxProbe
from porter.graphs.values import OrtValue, to_array
from porter.graphs.walk import Lane

if TYPE_CHECKING:
    import numpy as np

Fetched: TypeAlias = "np.ndarray | str"
"""A tensor, or why there is none."""
Feeds: TypeAlias = "Sequence[Mapping[str, np.ndarray]]"


class Source(Protocol):
    """The candidate, asked for one group of tensors after the other."""

    @property
    def failures(self) -> Sequence[str]:
        """What could not be run so far, in words."""

    def fetch(self, group: Mapping[str, Sequence[OrtValue]]) -> None:
        """Compute a group: the candidate's names, each with the reference's values, one for a feed."""

    def own(self, name: str, feed: int) -> Fetched:
        """A tensor of the group, as the candidate computes it from its inputs."""

    def alone(self, name: str, feed: int) -> Fetched | None:
        """The same computed from the reference's tensors before it; None where those do not fit, or cannot be given."""

    def outputs(self) -> list[dict[str, np.ndarray]]:
        """The final outputs for each feed; those that could not be computed are left out."""


class GraphSource:
    """An ONNX graph: a lane for each feed, and a second that the reference's tensors are put into."""

    def __init__(self, probe: OnnxProbe, match: Matching, feeds: Feeds) -> None:
        self.graph = probe.graph
        self._own = [Lane(bind(self.graph, feed)) for feed in feeds]
        self._alone = [Lane(dict(lane.values), beside=lane) for lane in self._own]
        watched = {*match.inverse, *self.graph.outputs}
        self._walk = probe.walk([*self._own, *self._alone], watched)
        self._last: Sequence[str] = ()

    @property
    def failures(self) -> Sequence[str]:
        return list(self._walk.failures.values())

    def fetch(self, group: Mapping[str, Sequence[OrtValue]]) -> None:
        self._walk.forget([name for name in self._last if name not in self.graph.outputs])
        self._last = list(group)
        for name, values in group.items():
            for lane, value in zip(self._alone, values, strict=True):
                if self._walk.is_read(name):
                    lane.values[name] = value
        for index in self._walk.needed(self._last):
            self._walk.run(index)

    def own(self, name: str, feed: int) -> Fetched:
        return _fetched(self._own[feed], name)

    def alone(self, name: str, feed: int) -> Fetched | None:
        lane = self._alone[feed]
        return None if lane.problems.get(name) == "" else _fetched(lane, name)

    def outputs(self) -> list[dict[str, np.ndarray]]:
        for index in self._walk.needed(self.graph.outputs):
            self._walk.run(index)
        return [final_outputs(lane, self.graph.outputs) for lane in self._own]


class ProbeSource:
    """A candidate that is known by its tensors alone."""

    def __init__(self, probe: Probe, feeds: Feeds, finals: Sequence[str]) -> None:
        """`finals`: the reference's outputs that the probe has as well."""
        self._probe, self._feeds, self._finals = probe, feeds, finals
        self._fetched: list[Mapping[str, np.ndarray] | str] = []
        self._failures: list[str] = []

    @property
    def failures(self) -> Sequence[str]:
        return self._failures

    def fetch(self, group: Mapping[str, Sequence[OrtValue]]) -> None:
        self._fetched = [self._try(list(group), feed) for feed in self._feeds]

    def own(self, name: str, feed: int) -> Fetched:
        found = self._fetched[feed]
        return found if isinstance(found, str) else found.get(name, "the candidate does not provide this tensor")

    def alone(self, name: str, feed: int) -> Fetched | None:
        return None

    def outputs(self) -> list[dict[str, np.ndarray]]:
        """Fetched with no other tensor beside them, so that the runtime works as it does in use."""
        if not self._finals:
            return [{} for _ in self._feeds]
        found = [self._try(self._finals, feed) for feed in self._feeds]
        return [{} if isinstance(one, str) else dict(one) for one in found]

    def _try(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray] | str:
        try:
            return self._probe.fetch(names, feed)
        except PorterError as error:
            text = one_line(error)
            if text not in self._failures:
                self._failures.append(text)
            return text


def final_outputs(lane: Lane, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The outputs that a lane has computed and that are tensors."""
    arrays = {name: to_array(lane.results[name]) for name in names if name in lane.results}
    return {name: array for name, array in arrays.items() if array is not None}


def _fetched(lane: Lane, name: str) -> Fetched:
    if name not in lane.results:
        return lane.problems.get(name, "was not computed")
    array = to_array(lane.results[name])
    return "not a tensor" if array is None else array

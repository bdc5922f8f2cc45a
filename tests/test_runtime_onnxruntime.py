"""ONNX Runtime: the provider that was asked for runs the graph, or nothing does; what runs is read back."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest
from graphs import images, network
from sessions import opening

from porter.builtin.onnxruntime import OnnxRuntime, OnnxRuntimeSession
from porter.builtin.ort_layers import layers_of, placement_of, record_placement
from porter.errors import Missing

CPU = "CPUExecutionProvider"
OTHERS = [name for name in onnxruntime.get_available_providers() if name != CPU]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(network(), tmp_path / "network.onnx")
    return tmp_path / "network.onnx"


def opened(path: Path, provider: str | None) -> OnnxRuntimeSession:
    return OnnxRuntimeSession(opening(path, provider=provider))


@pytest.mark.parametrize("name", ["cpu", "CPU", CPU])
def test_a_provider_goes_by_its_short_name(path: Path, name: str) -> None:
    session = opened(path, name)
    assert session.info.provider == CPU
    assert session.run(images(1))["scores"].shape == (1, 5)


@pytest.mark.parametrize("name", ["CUDA", "TensorrtExecutionProvider", "CANN", "Abacus"])
def test_one_that_the_build_lacks_is_missing(path: Path, name: str) -> None:
    if f"{name.removesuffix('ExecutionProvider')}ExecutionProvider" in OTHERS:
        pytest.skip(f"this build has {name}")
    with pytest.raises(Missing, match=f"provider '{name}': not in this ONNX Runtime. Available: .*{CPU}"):
        opened(path, name)
    with pytest.raises(Missing, match="not in this ONNX Runtime"):
        OnnxRuntime().require("fp32", name)


@pytest.mark.skipif("AzureExecutionProvider" not in OTHERS, reason="this build has no provider that takes no node")
def test_one_that_takes_no_node_is_an_error(path: Path) -> None:
    """ONNX Runtime names it as the provider in use, and runs every node on the CPU."""
    with pytest.raises(Missing, match=rf"runs none of the graph \(all on {CPU} \(\d+ nodes\)\)"):
        opened(path, "Azure")


def test_placement_counts_the_nodes_of_each_provider(path: Path) -> None:
    settings = onnxruntime.SessionOptions()
    record_placement(settings)
    session = onnxruntime.InferenceSession(str(path), settings, providers=[CPU])
    if hasattr(session, "get_provider_graph_assignment_info"):
        [(provider, count)] = placement_of(session).items()
        assert provider == CPU and 0 < count <= len(onnx.load(path).graph.node)
    assert placement_of(object()) == {}


def test_layers_are_those_of_the_optimised_graph(path: Path) -> None:
    def write(target: str) -> None:
        settings = onnxruntime.SessionOptions()
        settings.optimized_model_filepath = target
        settings.log_severity_level = 4
        onnxruntime.InferenceSession(str(path), settings, providers=[CPU])

    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert layers_of(write) == {"fp32": sum(kind in ("Conv", "Gemm", "MatMul") for kind in kinds)}


def test_the_status_says_what_it_has_and_how_to_get_more() -> None:
    status = OnnxRuntime().status()
    assert status.available and status.version == onnxruntime.__version__
    assert status.devices == tuple(onnxruntime.get_available_providers())
    assert status.precisions == ("fp32", "int8") and "onnxruntime-gpu" in status.advice

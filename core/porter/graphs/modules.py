"""The module of the source model that a node of an exported graph came from."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from porter.errors import one_line

if TYPE_CHECKING:
    import onnx

SCOPES = "pkg.torch.onnx.name_scopes"
"""Metadata that torch.export's exporter writes to each node: the list of scopes, root to operator."""
_PARAMETER = re.compile(r"(\w+(?:\.\w+)*)\.(?:weight|bias|running_mean|running_var)")


def module_of(node: onnx.NodeProto) -> str:
    """The module's dotted name; empty for an operator in the root module, or where the graph does not tell.

    Tells it from the exporter's metadata, from the node's name, or from the names of its weights, in this order.
    """
    scopes = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), None)
    if scopes is not None:
        return _from_metadata(scopes)
    if node.name.startswith("/"):
        return module_of_name(node.name)
    owners = (_PARAMETER.fullmatch(name) for name in node.input)
    return next((owner[1] for owner in owners if owner), "")


def module_of_name(name: str) -> str:
    """`/stage2/stage2.0/conv1/Conv` is `stage2.0.conv1`.

    torch's TorchScript exporter writes one part for each module called and the operator last. The child of a
    container repeats the container's own name, also where the container itself is not called and has no part.
    """
    path: list[str] = []
    for part in one_line(name).strip("/").split("/")[:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path[-1] = part
        else:
            path.append(part)
    return ".".join(path)


def _from_metadata(text: str) -> str:
    try:
        scopes = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list) or len(scopes) < 2:
        return ""
    return one_line(scopes[-2])

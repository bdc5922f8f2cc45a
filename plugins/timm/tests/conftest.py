"""timm beside a torch that torchvision's operators were not built for: timm uses none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def timm() -> Any:
    """The module. torchvision registers shapes of its operators when it is imported, whether they are there or not, and
    a library of another build than torch's must not be loaded at all."""
    torch = pytest.importorskip("torch")
    register, load = torch.library.register_fake, torch.ops.load_library

    def lenient(operator: Any, *arguments: Any, **options: Any) -> Any:
        if str(operator).startswith("torchvision::"):
            return _unchanged
        return register(operator, *arguments, **options)

    def refused(path: Any) -> None:
        raise OSError(f"{path}: of another build")

    torch.library.register_fake, torch.ops.load_library = lenient, refused
    try:
        return pytest.importorskip("timm")
    finally:
        torch.library.register_fake, torch.ops.load_library = register, load


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function

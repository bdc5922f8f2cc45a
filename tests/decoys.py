"""Modules that lie among received files, and say so if anything imports them."""

from __future__ import annotations

from pathlib import Path

from corpus.case import CANARY

NAMES = (
    "msgspec lazy_loader click numpy yaml torch onnx onnxruntime cloudpickle psutil pluggy rich jinja2 porter_onnx "
    "porter_hrnet grpc setproctitle sitecustomize usercustomize contextlib functools types json warnings tempfile pip "
    "venv ais_bench"
)


def put(folder: Path) -> None:
    """Put the modules into `folder`; each leaves a file named after it in the folder above."""
    for name in NAMES.split():
        canary = folder.parent / f"{CANARY}-{name}"
        (folder / f"{name}.py").write_text(f"open({str(canary)!r}, 'w').close()\nraise SystemExit(3)\n")


def imported(folder: Path) -> list[str]:
    """The files that they left."""
    return sorted(path.name for path in folder.parent.glob(f"{CANARY}-*"))

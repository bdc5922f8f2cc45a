"""The file of `--host-facts`: what the user states of a host that porter cannot ask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, structs

from porter.errors import BadInput, one_line
from porter.files.urls import is_web_address
from porter.files.yamlfile import read_yaml
from porter.files.yamltyped import from_yaml, yaml_fault
from porter.records.host_facts import HostFacts

Line = Annotated[str, Meta(min_length=1, max_length=200)]


class _Code(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    branch: Line = ""
    path: Line = ""
    commit: Annotated[str, Meta(pattern="^[0-9a-f]{7,64}$")] = ""


class _Checkpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    file: Line = ""
    md5: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] = ""
    url: Line = ""


class _Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    chip: Line = ""
    card: Line = ""
    devices_per_card: Annotated[int, Meta(ge=1, le=64)] | None = None
    driver: Line = ""
    firmware: Line = ""
    host: Line = ""
    os: Line = ""
    versions: dict[Line, Line] = {}
    code: _Code = _Code()
    checkpoint: _Checkpoint = _Checkpoint()
    licence: Line = ""
    opset: Annotated[int, Meta(ge=1, le=99)] | None = None


def read_host_facts(path: Path) -> HostFacts:
    """Read the file, every key of which may be left out. Raises `BadInput` naming file, line and key."""
    where = one_line(path)
    if not path.exists():
        raise BadInput(f"--host-facts {where}: no such file")
    document = read_yaml(path, as_text=True)
    found = from_yaml(document, _Document, where)
    code, checkpoint = found.code, found.checkpoint
    if checkpoint.url and not is_web_address(checkpoint.url):
        raise yaml_fault(
            document, where, "checkpoint.url", "a web address is needed, e.g. https://example.org/file.pth"
        )
    plain = {name: value for name, value in structs.asdict(found).items() if name not in ("code", "checkpoint")}
    return HostFacts(
        **plain,
        code_branch=code.branch,
        code_commit=code.commit,
        code_path=code.path,
        checkpoint=checkpoint.file,
        checkpoint_md5=checkpoint.md5,
        checkpoint_url=checkpoint.url,
    )

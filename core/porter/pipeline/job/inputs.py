"""The input files of a run: the user's, or those that the plugin ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from porter.checkpoints.sharded_files import entries_by_shard, is_index
from porter.contracts.requests import ModelOffer, Shipped
from porter.data.images_in import archive_advice
from porter.errors import BadInput, did_you_mean
from porter.files.hashes import digest_of, file_digest, folder_digest
from porter.files.urls import is_url, require_no_password
from porter.records.record import InputFile
from porter.records.request import RunRequest

MODEL_FILES = ("config", "checkpoint")
"""Roles of the input files that make the model."""


@dataclass(frozen=True, kw_only=True)
class JobFiles:
    """The input files of a job, the user's or the plugin's."""

    config: Path | None
    name: str
    """The name of a variant that was given in place of a config."""
    checkpoint: Path | None
    data: str | None
    """A folder, or a URL."""
    labels: Path | None
    class_map: Path | None
    shipped: frozenset[str] = frozenset()
    """Roles that the plugin's shipped files fill."""


def resolve_files(request: RunRequest, offer: ModelOffer) -> JobFiles:
    """The user's files, and where a pair is wholly absent the plugin's.

    Config and checkpoint belong together, as do data and labels: a file of the user's never meets a shipped one
    of the same pair, and shipped images go only with the shipped model.
    """
    named = offer.takes_name and request.config is not None and _is_name(request.config)
    given = JobFiles(
        config=None if named else _existing(request.config, "--config", folder=False),
        name=request.config or "" if named else "",
        checkpoint=_existing(request.checkpoint, "--checkpoint", folder=False),
        data=_existing_data(request.data),
        labels=_existing(request.labels, "--labels", folder=None),
        class_map=_existing_map(request.class_map),
    )
    _existing(request.calibration, "--calibration", folder=True)
    shipped = offer.shipped or Shipped()
    roles: list[str] = []
    if given.config is None and given.checkpoint is None and not named:
        given = replace(given, config=shipped.config, checkpoint=shipped.checkpoint)
        roles += [role for role in ("config", "checkpoint") if getattr(shipped, role) is not None]
        if given.data is None and given.labels is None:
            given = replace(given, data=None if shipped.data is None else str(shipped.data), labels=shipped.labels)
            roles += [role for role in ("data", "labels") if getattr(shipped, role) is not None]
    if given.labels is not None and given.data is None:
        raise BadInput(f"--labels {request.labels}. Use --data DIR as well")
    if offer.needs_checkpoint and given.checkpoint is None:
        raise BadInput(f"model {offer.name!r} needs --checkpoint FILE with --config {request.config}")
    return replace(given, shipped=frozenset(roles))


def with_class_map(files: JobFiles, known: Callable[[], Mapping[str, Path]]) -> JobFiles:
    """The files, a class map that was given by its name as the file of it that ships with the task.

    `known`: the maps of the task, asked only where there is no such file. Raises `BadInput` for a name that is none.
    """
    given = files.class_map
    if given is None or given.exists():
        return files
    maps = known()
    if str(given) not in maps:
        names = f"; the task knows {', '.join(sorted(maps))}" if maps else ""
        raise BadInput(f"--class-map {given}: no such file{names}{did_you_mean(str(given), maps)}")
    return replace(files, class_map=maps[str(given)], shipped=files.shipped | {"class_map"})


def input_file(role: str, path: Path, given: str | None, *, shipped: bool) -> InputFile:
    """A file or folder with its hash; `given` is its path as it was typed, None: the plugin ships it."""
    shown = given or (path.name if shipped else str(path))
    if path.is_dir():
        whole = folder_digest(path)
        return InputFile(
            role=role, path=shown, sha256=whole.sha256, size_bytes=whole.size_bytes, files=whole.files, shipped=shipped
        )
    if is_index(path):
        parts = [path, *entries_by_shard(path)]
        sha256 = digest_of(*(f"{file_digest(part)}  {part.name}" for part in parts))
        size = sum(part.stat().st_size for part in parts)
        return InputFile(role=role, path=shown, sha256=sha256, size_bytes=size, files=len(parts), shipped=shipped)
    return InputFile(role=role, path=shown, sha256=file_digest(path), size_bytes=path.stat().st_size, shipped=shipped)


def _existing_data(text: str | None) -> str | None:
    """The folder, which must be there, or the URL, which is looked at when the images are listed."""
    if text is None or not is_url(text):
        if text is not None and Path(text).is_file() and (advice := archive_advice(Path(text))):
            raise BadInput(f"--data {text}: {advice}")
        folder = _existing(text, "--data", folder=True)
        return None if folder is None else str(folder)
    require_no_password("--data", text)
    return text


def _existing_map(text: str | None) -> Path | None:
    """The file of a class map, or its name, which the task may know."""
    if text is not None and Path(text).name == text and not Path(text).exists():
        return Path(text)
    return _existing(text, "--class-map", folder=False)


def _is_name(text: str) -> bool:
    """Whether a config is no file but the name of a variant."""
    return Path(text).name == text and not Path(text).exists() and Path(text).suffix not in (".yaml", ".yml", ".json")


def _existing(text: str | None, option: str, *, folder: bool | None) -> Path | None:
    """The path that an option names; `folder` says which kind it must be, None: either."""
    if text is None:
        return None
    path = Path(text)
    try:
        is_there = path.exists()
    except (OSError, ValueError) as error:
        raise BadInput(f"{option} {text!r}: not a usable path: {error}") from None
    if not is_there:
        raise BadInput(f"{option} {text}: no such {'folder' if folder else 'file'}")
    if folder is not None and path.is_dir() != folder:
        raise BadInput(f"{option} {text}: a {'file' if folder else 'folder'}, not a {'folder' if folder else 'file'}")
    return path

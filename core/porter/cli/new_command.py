"""`porter new`: a project that works as it stands, with the places to change marked."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from porter.cli.terminal_progress import TerminalProgress
from porter.errors import BadInput, Missing, PluginError, one_line
from porter.files.outward import say, shell_word
from porter.hosting.manager import create_registry
from porter.records.version import __version__

LONGEST = 40
"""Characters of a name."""
SUFFIX = ".j2"
RENAMED = {"gitignore": ".gitignore"}
"""Part of a template's path: the part that the project has in its place."""
MAKE_SAMPLE = "training/make_sample.py"
SHARED = "new-shared/"
"""Templates of every kind of project. One that comes out empty is not written."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of project."""

    name: str
    """The subcommand; its templates are in `new-NAME/`, which is no identifier, or setuptools would take it for a
    package that is not listed."""
    noun: str
    """What the project offers."""
    step: str
    """What is done, for the progress."""
    first: tuple[str, ...]
    """What to type first once it is installed."""
    task: str = "classification"
    """The task of the example model in its tests."""
    sample: bool = False
    """Whether it ships a sample, which its own script makes with torch."""


PLUGIN = Kind(
    name="plugin",
    noun="model",
    step="write the project and train its example",
    first=("porter run {name}",),
    sample=True,
)
RUNTIME = Kind(name="runtime", noun="runtime", step="write the project", first=("porter doctor",))
TASK = Kind(name="task", noun="task", step="write the project", first=("porter plugins",), task="{name}")
INTO = click.option(
    "--into", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the new project [default: ./NAME]."
)


@click.group()
def new() -> None:
    """Start a new project."""


@new.command()
@click.argument("name")
@INTO
def plugin(name: str, into: Path | None) -> None:
    """Write a plugin project for a model called NAME, which runs and passes its tests as it is.

    Places to change are marked "Fill in".
    """
    start(PLUGIN, name, into)


@new.command()
@click.argument("name")
@INTO
def runtime(name: str, into: Path | None) -> None:
    """Write a plugin project for a runtime called NAME, which runs and passes its tests as it is.

    It runs ONNX's own evaluator, with an option and a probe for diagnosis. Places to change are marked "Fill in".
    """
    start(RUNTIME, name, into)


@new.command()
@click.argument("name")
@INTO
def task(name: str, into: Path | None) -> None:
    """Write a plugin project for a task called NAME, which runs and passes its tests as it is.

    It reads labels by class name and scores by mean class accuracy. Places to change are marked "Fill in".
    """
    start(TASK, name, into)


def start(kind: Kind, name: str, into: Path | None) -> None:
    """Write a project, and print what to type next."""
    require_free(name)
    target = into if into is not None else Path(name)
    with TerminalProgress() as progress, progress.step(kind.step):
        write_project(kind, name, target)
    shown = shell_word(str(target))
    say(f"{shown}: a {kind.name} that works as it is. Next:")
    say(f"    pip install -e {shown}")
    for command in kind.first:
        say(f"    {command.format(name=name)}")
    say(f"    python -m pytest {shown}")
    say(f'    grep -rn "Fill in" {shown}')


def require_free(name: str) -> None:
    """Stop where a name is no plugin's name, or another plugin has it. Raises `BadInput`."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(name) > LONGEST:
        normal = re.sub("[^a-z0-9]+", "-", name.lower())[:LONGEST].strip("-")
        advice = f". Try {normal}" if normal else ""
        raise BadInput(
            f"NAME {one_line(name)!r}: use lower-case letters and digits, with single hyphens between parts, "
            f"at most {LONGEST} characters{advice}"
        )
    registry = create_registry()
    offered: dict[str, Mapping[str, Sequence[tuple[object, str]]]] = {
        "model": registry.models(),
        "runtime": registry.runtimes(),
        "task": registry.tasks(),
    }
    for noun, offers in offered.items():
        for _, owner in offers.get(name, ()):
            raise BadInput(f"NAME {name!r}: the plugin {owner!r} offers a {noun} of this name. Choose another")
    if any(info.name == name for info in registry.infos):
        raise BadInput(f"NAME {name!r}: a plugin of this name is installed. Choose another")
    try:
        importlib.metadata.distribution(distribution_of(name))
    except importlib.metadata.PackageNotFoundError:
        return
    raise BadInput(f"NAME {name!r}: the distribution {distribution_of(name)} is installed. Choose another")


def write_project(kind: Kind, name: str, target: Path) -> None:
    """Write the project to `target`, whole or not at all.

    Raises `BadInput` where the target is there already or cannot be written, and `Missing` where its sample needs
    torch, which is not installed.
    """
    if target.is_symlink() or target.exists():
        raise BadInput(f"{one_line(target)}: exists already. Use --into DIR for another folder")
    if kind.sample and importlib.util.find_spec("torch") is None:
        raise Missing("training the example needs torch. Run in the clone of porter: pip install -e '.[torch]'")
    try:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{name}.", suffix=".part"))
    except OSError as error:
        raise BadInput(f"{one_line(target.parent)}: cannot be written: {error.strerror}") from None
    try:
        project = temporary / "project"  # mkdtemp's own folder would stay closed to others
        for path, text in render_project(kind, name).items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text, encoding="utf-8")
        if kind.sample:
            _make_sample(project)
        project.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def render_project(kind: Kind, name: str) -> dict[str, str]:
    """The text files of the project, by path."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("porter.templates", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    values = {
        "kind": kind.name,
        "noun": kind.noun,
        "task": kind.task.format(name=name),
        "name": name,
        "distribution": distribution_of(name),
        "package": package_of(name),
        "porter_range": porter_range(),
    }
    renamed = {**RENAMED, "package": package_of(name)}
    files = {}
    for folder in (SHARED, f"new-{kind.name}/"):
        for template in filter(re.compile(folder).match, environment.list_templates()):
            parts = template.removeprefix(folder).removesuffix(SUFFIX).split("/")
            text = environment.get_template(template).render(values)
            if text.strip():
                files["/".join(renamed.get(part, part) for part in parts)] = text
    return files


def porter_range() -> str:
    """The versions of porter-core that a project of today is made for: those before the next minor one."""
    major, minor = map(int, __version__.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}"


def distribution_of(name: str) -> str:
    """Name under which the plugin is installed."""
    return f"porter-{name}"


def package_of(name: str) -> str:
    """Name under which the plugin is imported."""
    return f"porter_{name.replace('-', '_')}"


def _make_sample(project: Path) -> None:
    """Run the project's own script, as its author would, in a process of its own: it imports the new package."""
    paths = [str((project / "src").resolve()), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, MAKE_SAMPLE],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise PluginError(f"the example cannot be trained: {MAKE_SAMPLE}: {one_line(last)}")

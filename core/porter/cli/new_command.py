"""`porter new`: a project that works as it stands, with the places to change marked."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from porter.cli.terminal_progress import TerminalProgress
from porter.errors import BadInput, Missing, PluginError, one_line
from porter.hosting.manager import create_registry
from porter.records.version import __version__

LONGEST = 40
"""Characters of a name."""
TEMPLATES, SUFFIX = "new-plugin/", ".j2"
"""The folder's name is no identifier, or setuptools would take it for a package that is not listed."""
RENAMED = {"gitignore": ".gitignore"}
"""Part of a template's path: the part that the project has in its place."""
MAKE_SAMPLE = "training/make_sample.py"


@click.group()
def new() -> None:
    """Start a new project."""


@new.command()
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), metavar="DIR", help="The project's folder [default: ./NAME].")
def plugin(name: str, into: Path | None) -> None:
    """Write a plugin project for a model called NAME. It installs, runs and passes its tests as it stands.

    The places to change are marked "Fill in".
    """
    require_free(name)
    target = into if into is not None else Path(name)
    with TerminalProgress() as progress, progress.step("write the project and train its example"):
        write_project(name, target)
    shown = shlex.quote(str(target))
    click.echo(f"{shown}: a plugin that works as it stands. Next:")
    click.echo(f"    pip install -e {shown}")
    click.echo(f"    porter run {name}")
    click.echo(f"    python -m pytest {shown}")
    click.echo(f'    grep -rn "Fill in" {shown}')


def require_free(name: str) -> None:
    """Stop where a name is no plugin's name, or another plugin has it. Raises `BadInput`."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(name) > LONGEST:
        normal = re.sub("[^a-z0-9]+", "-", name.lower())[:LONGEST].strip("-")
        advice = f"; try {normal}" if normal else ""
        raise BadInput(
            f"NAME {one_line(name)!r}: must be lower-case letters and digits, in parts joined by single hyphens, "
            f"and no longer than {LONGEST} characters{advice}"
        )
    registry = create_registry()
    for _, owner in registry.models().get(name, []):
        raise BadInput(f"NAME {name!r}: the plugin {owner!r} offers a model of this name; choose another")
    if any(info.name == name for info in registry.infos):
        raise BadInput(f"NAME {name!r}: a plugin of this name is installed; choose another")
    try:
        importlib.metadata.distribution(distribution_of(name))
    except importlib.metadata.PackageNotFoundError:
        return
    raise BadInput(f"NAME {name!r}: the distribution {distribution_of(name)} is installed; choose another")


def write_project(name: str, target: Path) -> None:
    """Write the project to `target`, whole or not at all.

    Raises `BadInput` where the target is there already or cannot be written, and `Missing` without torch.
    """
    if target.is_symlink() or target.exists():
        raise BadInput(f"{one_line(target)}: is there already; give another folder with --into DIR")
    if importlib.util.find_spec("torch") is None:
        raise Missing("the example is trained with torch, which is not installed: pip install 'porter-core[torch]'")
    try:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{name}.", suffix=".part"))
    except OSError as error:
        raise BadInput(f"{one_line(target.parent)}: cannot be written: {error.strerror}") from None
    try:
        project = temporary / "project"  # mkdtemp's own folder would stay closed to others
        for path, text in render_project(name).items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text, encoding="utf-8")
        _make_sample(project)
        project.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def render_project(name: str) -> dict[str, str]:
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
        "name": name,
        "distribution": distribution_of(name),
        "package": package_of(name),
        "porter": __version__,
    }
    renamed = {**RENAMED, "package": package_of(name)}
    files = {}
    for template in environment.list_templates(filter_func=lambda path: path.startswith(TEMPLATES)):
        parts = template.removeprefix(TEMPLATES).removesuffix(SUFFIX).split("/")
        path = "/".join(renamed.get(part, part) for part in parts)
        files[path] = environment.get_template(template).render(values)
    return files


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

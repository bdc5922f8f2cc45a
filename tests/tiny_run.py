"""`python tiny_run.py OUT DATA LABELS`: the same command again and again, as a process that can be killed."""

from __future__ import annotations

from pathlib import Path

import click
from tiny import start

from porter.cli import group
from porter.cli.main import main
from porter.runfolder.lock import FolderLock


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("labels", type=click.Path(path_type=Path))
def tiny(out: Path, data: Path, labels: Path) -> int:
    """The whole run of the tiny model, which is no installed plugin's."""
    with FolderLock(out) as lock:
        run = start(out, data, labels, fresh=False, batch_sizes=(1,), batch=2)
        lock.take()
        return int(run.everything())


if __name__ == "__main__":
    group.porter = tiny  # type: ignore[assignment]
    main()

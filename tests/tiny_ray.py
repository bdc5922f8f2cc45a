"""`python tiny_ray.py OUT DATA LABELS`: an evaluation on two workers of Ray, slow enough to be killed in the middle."""

from __future__ import annotations

from pathlib import Path

import click
from slow import Slow
from tiny import start

from porter.cli import group
from porter.cli.main import main
from porter.pipeline.evaluation.executors.ray import Ray
from porter.runfolder.lock import FolderLock


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("labels", type=click.Path(path_type=Path))
def tiny(out: Path, data: Path, labels: Path) -> int:
    """Export where nothing was exported yet, then evaluate."""
    with FolderLock(out) as lock, Ray(workers=2) as executor:
        run = start(out, data, labels, plugin=Slow(0.05), fresh=False, batch=2, executor=executor)
        lock.take()
        if run.record.export is None:
            run.export()
        return int(run.evaluate())


if __name__ == "__main__":
    group.porter = tiny  # type: ignore[assignment]
    main()

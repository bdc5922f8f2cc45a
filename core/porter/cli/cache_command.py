"""`porter cache`: what a run's folder keeps between commands."""

from __future__ import annotations

from pathlib import Path

import click

from porter.cli.options import options, require_plugins
from porter.cli.plugin_files import given_plugins, open_registry
from porter.cli.table import show_table
from porter.cli.terminal_progress import TerminalProgress
from porter.errors import BadInput, one_line
from porter.files.outward import say, say_json
from porter.pipeline.job.job import Job
from porter.pipeline.kept.caches import Caches
from porter.records.cached import Cached, CacheKind, CacheReport, CacheState
from porter.runfolder.lock import FolderLock
from porter.runfolder.record_file import read_record

PRUNED = (CacheState.STALE, CacheState.DAMAGED)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@options("cache")
@click.option(
    "--prune", is_flag=True, help="Remove cached files that are damaged or belong to other inputs or options."
)
@click.option("--all", "everything", is_flag=True, help="With --prune, remove every cached file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cache(out: Path, prune: bool, everything: bool, as_json: bool) -> None:
    """Show the cached results of a run: predictions, int8 attempts, tensors, outputs and compiled models.

    A result is valid if everything it was made from is unchanged. Artefacts, documents and your own files are never
    removed.
    """
    if everything and not prune:
        raise BadInput("--all needs --prune")
    removed: tuple[Cached, ...] = ()
    with TerminalProgress() as progress, FolderLock(out):
        record = read_record(out)
        require_plugins(record.request, given_plugins(), out)
        job = Job(folder=out, request=record.request, registry=open_registry(), progress=progress)
        caches = Caches(job, record)
        kept = tuple(caches)
        if prune:
            removed = tuple(
                one for one in kept if one.kind is not CacheKind.OTHER and (everything or one.state in PRUNED)
            )
            caches.remove(removed)
            kept = tuple(one for one in kept if one not in removed)
    report = CacheReport(folder=str(out), kept=kept, removed=removed)
    if as_json:
        say_json(report)
        return
    _show(report)


def _show(report: CacheReport) -> None:
    if report.kept:
        columns = ("kind", "path", "state", "images", "bytes", "written", "note")
        show_table(columns, [_row(one) for one in report.kept])
    size = sum(one.size_bytes for one in report.kept)
    say(f"kept: {len(report.kept)}, {size} bytes")
    if report.removed:
        freed = sum(one.size_bytes for one in report.removed)
        say(f"removed: {len(report.removed)}, {freed} bytes")
        for one in report.removed:
            say(f"    {one.path}: {one.state}{f', {one_line(one.reason)}' if one.reason else ''}")


def _row(one: Cached) -> tuple[str, ...]:
    images = "-" if one.entries is None else str(one.entries)
    return (one.kind, one.path, one.state, images, str(one.size_bytes), one.modified, one.reason)

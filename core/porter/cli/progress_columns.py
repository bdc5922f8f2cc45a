"""Columns of a progress bar: how fast the units go by, and how many are left."""

from __future__ import annotations

from rich.progress import ProgressColumn, Task
from rich.text import Text


class RateColumn(ProgressColumn):
    """Units a second, e.g. `87.3 images/s`; empty for a step that counts none."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not task.fields["counted"] or not speed:
            return Text("")
        return Text(f"{speed:.1f} {task.fields['unit']}/s", style="progress.data.speed")


class LeftColumn(ProgressColumn):
    """Units that are left; empty at the end, and as above."""

    def render(self, task: Task) -> Text:
        if not task.fields["counted"] or task.total is None or task.finished:
            return Text("")
        return Text(f"{int(task.total - task.completed)} left", style="progress.remaining")

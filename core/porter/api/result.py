"""What a run has come to, for a program or a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.api.figures import FIGURES
from porter.errors import BadInput, ExitCode, Missing, did_you_mean, one_line
from porter.pipeline.judge.verdicts import exit_code
from porter.records.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd

    from porter.predicting.predictor import Predictor


class Result:
    """What a run has come to. In a notebook it shows the results table and the verdicts."""

    def __init__(self, folder: Path, record: RunRecord, plugins: tuple[str, ...] = ()) -> None:
        """As `run` and `load` make it; `plugins` are the files of plugins that its sessions need."""
        self.folder = folder
        self.record = record
        self._plugins = plugins

    @property
    def overall(self) -> str:
        """`pass`, `unproven`, `fail`, `incomplete`, `imported` or `not verified`, see `Overall`."""
        return "not verified" if self.record.overall is None else self.record.overall.standing.value

    @property
    def passed(self) -> bool:
        """Whether `porter run` would exit with 0: no verdict fails, and nothing that was asked for is missing."""
        return exit_code(self.record) == ExitCode.OK

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """Each verdict: `name`, `title`, `state` (`pass`, `fail`, `not run`), `evidence` and `advice` as lists of
        lines, `note`."""
        return FIGURES["verdicts"](self.record)

    @property
    def accuracy(self) -> list[dict[str, Any]]:
        """Each metric of the reference and of every artefact: `artefact`, `metric`, `title`, `value`, `unit`, `low` and
        `high` (95%), `images`, `hits`; of the metric that decides `drop` from the reference, `allowed` and `passed`.
        None where there is no figure."""
        return FIGURES["accuracy"](self.record)

    @property
    def performance(self) -> list[dict[str, Any]]:
        """Each artefact at each batch size: `artefact`, `batch`, `precision`, `provider`, `threads`, `streams`,
        `images_per_second`, `ms_per_image`, of a call `median_ms`, `p90_ms`, `p99_ms`, `min_ms`, `max_ms`,
        `spread_percent`; `load_ms`, `first_run_ms`, `calls`, `steady`, `marks` (what speaks against it)."""
        return FIGURES["performance"](self.record)

    @property
    def artefacts(self) -> list[str]:
        """Ids of the artefacts that `session` opens."""
        return [artefact.id for artefact in self.record.artefacts]

    def frame(self, name: str = "accuracy") -> pd.DataFrame:
        """`accuracy`, `performance` or `verdicts` as a pandas frame. Raises `Missing` without pandas."""
        if name not in FIGURES:
            raise BadInput(
                f"no figures {one_line(name)!r}{did_you_mean(name, FIGURES) or '.'} Use {', '.join(FIGURES)}"
            )
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise Missing("Result.frame needs pandas. Run in the clone of porter: pip install -e '.[pandas]'") from None
        return pd.DataFrame(FIGURES[name](self.record))

    def session(
        self, artefact: str | None = None, *, threads: int | None = None, provider: str | None = None
    ) -> Predictor:
        """An artefact, opened to predict with; None: the one that stands first in the results table.

        Its files are checked against their digests. The model's own plugin and PyTorch are needed only where the plugin
        answers hooks of its own for samples or outputs. `threads`: None uses all CPUs; `provider`: None uses the
        runtime's own. Raises `BadInput` where there is no such artefact or a file changed, `Missing` where a runtime or
        plugin is not installed.
        """
        from porter.hosting.manager import create_registry
        from porter.hosting.plugin_file import require_usable
        from porter.predicting.delivered import open_delivered

        registry = create_registry(files=self._plugins)
        require_usable(registry.infos)
        return open_delivered(self.folder, self.record, registry, artefact=artefact, threads=threads, provider=provider)

    def __repr__(self) -> str:
        return f"<porter.Result {one_line(self.folder)}: {self.overall}>"

    def _repr_html_(self) -> str:
        from porter.api.html_form import html_of

        return html_of(self.record)

"""The search: single suspects on all images, then sets of them, screened on the images that tell most of them apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from porter.diagnose.preprocessing.fault_trial import ALLOWED, Distance, Trial, fitted
from porter.diagnose.preprocessing.fitted_pictures import fitted_gamma, fitted_shift
from porter.diagnose.preprocessing.recipe import Recipe, declared
from porter.diagnose.preprocessing.usual_faults import Change
from porter.records.message import Message
from porter.records.spec import PreprocessSpec
from porter.records.suspects import Explanation, Suspect

FACTOR = 10.0
"""What leaves more than rounding must bring the mean difference of an image down by this factor to explain it."""
LARGEST_SET = 4
SCREENED = 3
"""Images on which sets of suspects are compared first."""
KEPT = 8
"""Sets that go from the screening to all images, and grow into larger sets."""
EQUAL = 1.25
"""Ratio of mean residuals up to which two sets explain equally well."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A set of suspects, and what it leaves on each image that was looked at."""

    changes: tuple[Change, ...]
    recipe: Recipe
    left: tuple[Distance, ...]

    @property
    def mean(self) -> float:
        """Mean residual over the images."""
        return sum(one.mean for one in self.left) / len(self.left)

    def rounding_alone(self, trials: Sequence[Trial]) -> bool:
        """Whether nothing but rounding is left on any of `trials`."""
        return all(left.largest <= trial.rounding for left, trial in zip(self.left, trials, strict=True))

    def agreeing(self, trials: Sequence[Trial]) -> int:
        """On how many of `trials` it explains the difference, or leaves an agreement that was there."""
        return sum(_explains(left, trial) for left, trial in zip(self.left, trials, strict=True))


class Search:
    """All suspects of one pipeline against all samples."""

    def __init__(self, trials: Sequence[Trial], spec: PreprocessSpec, changes: Sequence[Change]) -> None:
        self.trials = trials
        self.base = Outcome(changes=(), recipe=declared(spec), left=tuple(trial.before for trial in trials))
        self.tried = len(changes)
        self.unseen: list[Change] = []
        """Suspects that change nothing on these images."""
        self._seen: list[Change] = []
        self._singles: list[Outcome] = []
        shown: list[list[bool]] = []
        for change in changes:
            recipe = change.apply(self.base.recipe)
            left, shows = zip(*(trial.compare(recipe) for trial in trials), strict=True)
            if not any(shows):
                self.unseen.append(change)
                continue
            self._seen.append(change)
            self._singles.append(Outcome(changes=(change,), recipe=recipe, left=left))
            shown.append(list(shows))
        self._screen = _most_telling(trials, shown)
        self._known = {self.base.recipe, *(single.recipe for single in self._singles)}

    def explanations(self) -> list[Explanation]:
        """The smallest sets that explain the difference, the most usual first; empty where none does."""
        if self.base.rounding_alone(self.trials):
            only = Suspect(name="rounding", title=Message("rounding only: same steps, other order of computation"))
            return self._told([replace(self.base, changes=(Change(suspect=only, fields={}),))])
        beam = found = self._singles
        for trial in self._screen:
            trial.keep = True
        for size in range(1, LARGEST_SET + 1):
            if size > 1:
                screened = self._measured(self._grown(beam), self._screen)
                beam = sorted(screened, key=lambda one: one.mean)[:KEPT]
                found = found + self._measured(((one.changes, one.recipe) for one in beam), self.trials)
            if size == 2 and not self._exact(found):
                fits = (*self._other_normalisations(), *self._other_pictures())
                found = found + self._measured(fits, self.trials)
            if exact := self._exact(found):
                return self._told(_equal(exact))
        return self._told(self._nearest(found))

    def _grown(self, beam: Iterable[Outcome]) -> Iterator[tuple[tuple[Change, ...], Recipe]]:
        """Every set with one suspect more, once, whatever the order in which it was put together."""
        for outcome in beam:
            taken = {field for change in outcome.changes for field in change.fields}
            for change in self._seen:
                recipe = change.apply(outcome.recipe)
                if taken.isdisjoint(change.fields) and recipe not in self._known:
                    self._known.add(recipe)
                    self.tried += 1
                    yield (*outcome.changes, change), recipe

    def _other_normalisations(self) -> Iterator[tuple[tuple[Change, ...], Recipe]]:
        """The mean and std that fit best, alone and beside each single suspect that leaves them alone."""
        for outcome in (self.base, *self._singles):
            plain = outcome.recipe.layout == "chw" and not (
                outcome.recipe.flipped or outcome.recipe.rounded or outcome.recipe.mirrored
            )
            touched = {field for change in outcome.changes for field in change.fields} & {"divisor", "mean", "std"}
            if not plain or touched:
                continue
            self.tried += 1
            if (recipe := fitted(self.trials, outcome.recipe)) is not None:
                title = Message(
                    "another mean ({mean}) and std ({std})", mean=_values(recipe.mean), std=_values(recipe.std)
                )
                suspect = Suspect(name="other-mean-std", title=title)
                change = Change(suspect=suspect, fields={"mean": recipe.mean, "std": recipe.std})
                yield (*outcome.changes, change), recipe

    def _other_pictures(self) -> Iterator[tuple[tuple[Change, ...], Recipe]]:
        """The gamma and the shift of the crop that fit best."""
        self.tried += 2
        if (gamma := fitted_gamma(self.trials, self.base.recipe)) is not None:
            title = Message("gamma {gamma:.3g} applied", gamma=gamma)
            change = Change(suspect=Suspect(name="other-gamma", title=title), fields={"gamma": gamma})
            yield (change,), change.apply(self.base.recipe)
        if (shift := fitted_shift(self.trials, self.base.recipe)) is not None:
            title = Message("crop shifted {down} pixels down and {right} pixels right", down=shift[0], right=shift[1])
            change = Change(suspect=Suspect(name="other-shift", title=title), fields={"offset": shift})
            yield (change,), change.apply(self.base.recipe)

    @staticmethod
    def _measured(sets: Iterable[tuple[tuple[Change, ...], Recipe]], trials: Sequence[Trial]) -> list[Outcome]:
        return [
            Outcome(changes=changes, recipe=recipe, left=tuple(trial.distance(recipe) for trial in trials))
            for changes, recipe in sets
        ]

    def _exact(self, found: Sequence[Outcome]) -> list[Outcome]:
        """The sets that explain every image and leave nothing but rounding."""
        complete = [one for one in found if one.agreeing(self.trials) == len(self.trials)]
        return [one for one in complete if one.rounding_alone(self.trials)]

    def _nearest(self, found: Sequence[Outcome]) -> list[Outcome]:
        """Of sets that leave more than rounding, the best ones of the smallest size that does; or none.

        A larger set is taken only where it leaves a tenth of what the smaller one does. Where no set explains every
        image, the one that explains most, if it is most of the images.
        """
        agreeing = {one.recipe: one.agreeing(self.trials) for one in found}
        most = max(agreeing.values(), default=0)
        untouched = sum(not trial.differs for trial in self.trials)
        if most <= max(untouched, len(self.trials) // 2):
            return []
        best: list[Outcome] = []
        for size in range(1, LARGEST_SET + 1):
            same = [one for one in found if agreeing[one.recipe] == most and len(one.changes) == size]
            least = min((one.mean for one in same), default=float("inf"))
            if same and (not best or least * FACTOR <= min(one.mean for one in best)):
                best = _equal(same)
        return best

    def _usual(self, change: Change) -> int:
        """The change's place among the suspects, the most usual first."""
        return self._seen.index(change) if change in self._seen else len(self._seen)

    def _told(self, outcomes: Sequence[Outcome]) -> list[Explanation]:
        return [
            Explanation(
                suspects=tuple(change.suspect for change in sorted(one.changes, key=self._usual)),
                exact=one.rounding_alone(self.trials),
                agreeing=one.agreeing(self.trials),
                max_residual=max(left.largest for left in one.left),
                mean_residual=one.mean,
            )
            for one in outcomes
        ]


def _equal(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those of `outcomes` that leave as little as the best one does."""
    least = min(one.mean for one in outcomes)
    return [one for one in outcomes if one.mean <= max(EQUAL * least, ALLOWED)]


def _explains(left: Distance, trial: Trial) -> bool:
    if not trial.differs or trial.before.mean == float("inf"):  # nothing to bring down: it fits, or has another shape
        return left.largest <= trial.rounding
    return left.mean * FACTOR <= trial.before.mean


def _most_telling(trials: Sequence[Trial], shown: Sequence[Sequence[bool]]) -> list[Trial]:
    """Up to `SCREENED` images that together show the most suspects, those that differ before the others."""
    chosen: list[int] = []
    hidden = list(range(len(shown)))
    for _ in range(min(SCREENED, len(trials))):
        rest = [index for index in range(len(trials)) if index not in chosen]
        best = max(rest, key=lambda index: (trials[index].differs, sum(shown[row][index] for row in hidden)))
        chosen.append(best)
        hidden = [row for row in hidden if not shown[row][best]] or list(range(len(shown)))
    return [trials[index] for index in chosen]


def _values(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)

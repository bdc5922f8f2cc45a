"""Other preprocessing pipelines through the reference: the score of any image under any recipe, each computed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from porter.contracts.requests import Image, Source
from porter.data.store import open_store
from porter.diagnose.preprocessing.recipe import Recipe, cropped, finished
from porter.errors import ImageError, PorterError
from porter.images.appearance import exif_orientation
from porter.images.decode import decode
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.judging import predictions_of
from porter.pipeline.job.job import Dataset
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np

    from porter.diagnose.preprocessing.resizers import Pixels

SAME = 1e-4
"""Largest difference of two tensors, in their own unit, that moves no answer."""


class Rendered:
    """Scores by recipe and place in the manifest. `base` are those of the model's own pipeline, of every place."""

    def __init__(self, data: Dataset, declared: PreprocessSpec, base: Sequence[float]) -> None:
        self._data, self._declared, self._base = data, declared, base
        self._store = open_store(data.manifest.root)
        self._scorer = data.job.task.scorer(data.job.spec, data.manifest)
        self._known: dict[tuple[Recipe, int], float] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self.places = set[int]()
        """Images that were scored under some recipe."""

    def score(self, recipes: Iterable[Recipe], places: Iterable[int]) -> None:
        """See to it that every image of `places` is scored under every one of `recipes`."""
        recipes = tuple(recipes)
        waiting: list[tuple[Recipe, int, np.ndarray]] = []
        size = self._data.job.request.evaluation_batch
        for place in places:
            self.places.add(place)
            missing = [recipe for recipe in recipes if (recipe, place) not in self._known]
            for recipe, tensor in self._tensors(place, missing):
                waiting.append((recipe, place, tensor))
                if len(waiting) == size:
                    self._answer(waiting)
                    waiting = []
        self._answer(waiting)

    def of(self, recipe: Recipe, place: int) -> float:
        """The score of an image that `score` was called for."""
        return self._known[recipe, place]

    def _tensors(self, place: int, recipes: Sequence[Recipe]) -> Iterator[tuple[Recipe, np.ndarray]]:
        """The tensors that are not those of the model's own pipeline; of the others the score is known."""
        import numpy as np

        for recipe in recipes:
            self._known[recipe, place] = self._base[place]
        if not recipes:
            return
        job, name = self._data.job, self._data.items[place].id
        try:
            content = self._store.read(name)
            pixels = decode(content, name).pixels
            self._sizes[place] = pixels.shape[0], pixels.shape[1]
            own = np.array(job.hooks.preprocess(Image(id=name, pixels=pixels), job.spec)[job.spec.inputs[0].name])
        except (OSError, ImageError):
            return
        turned = exif_orientation(content) if any(recipe.oriented for recipe in recipes) else 1
        crops: dict[tuple[object, ...], Pixels] = {}
        for recipe in recipes:
            try:
                if recipe.geometry not in crops:
                    crops[recipe.geometry] = cropped(pixels, turned, recipe)
            except ImageError:
                continue
            tensor = finished(crops[recipe.geometry], recipe, self._declared)
            if tensor.shape == own.shape and not np.abs(tensor - own).max() <= SAME:
                yield recipe, tensor

    def _answer(self, waiting: Sequence[tuple[Recipe, int, np.ndarray]]) -> None:
        import numpy as np

        if not waiting:
            return
        job = self._data.job
        try:
            name = job.spec.inputs[0].name
            outputs = infer(job, job.reference, {name: np.stack([tensor for _, _, tensor in waiting])})
            sources = [Source(item=self._data.items[place], size=self._sizes[place]) for _, place, _ in waiting]
            predictions = predictions_of(job, outputs, sources)
        except PorterError:  # a model that refuses such values has not been declared wrongly
            return
        for (recipe, place, _), prediction in zip(waiting, predictions, strict=True):
            self._known[recipe, place] = self._scorer.add(self._data.items[place], prediction)

"""Class indices of the labels of a file, whatever they are: numbers, WordNet ids or names of classes."""

from __future__ import annotations

from dataclasses import dataclass

from porter.data.class_map import ClassMap
from porter.data.class_names import WORDNET, ClassNames
from porter.data.indices import numbering_warning, parse_index, range_problem
from porter.data.label_file import LabelFile, LabelLine
from porter.errors import BadInput, one_line
from porter.records.message import Message, Text

FORMS = "imagenet_class_index.json, LOC_synset_mapping.txt, synset_words.txt or lines `NAME index`"
_MAP = f"Give a class map with --class-map ({FORMS})"
DEVKIT_CLASSES = 1000


@dataclass(frozen=True, kw_only=True)
class KnownClasses:
    """What says which class a name stands for."""

    num_classes: int
    model: ClassNames
    """The model's own names; empty where its spec carries none."""
    offset: int = 0
    map: ClassMap | None = None


class LabelClasses:
    """The indices of one label file. Making it reads the file once, and says what is wrong with its labels.

    Numbers are indices, `--label-offset` subtracted. Anything else is looked up in the class map, or else among the
    model's class names; failing both, WordNet ids of exactly as many classes as the model has are numbered as sorted.
    """

    def __init__(self, file: LabelFile, known: KnownClasses) -> None:
        self._file, self._known = file, known
        self._cache: dict[str, int] = {}
        numbers: set[int] = set()
        texts: set[str] = set()
        outside: LabelLine | None = None
        extremes: set[int] = set()
        first: LabelLine | None = None
        classes = range(known.offset, known.offset + known.num_classes)
        seen: set[str] = set()
        for line in file.read():
            if line.label in seen:
                continue
            index = parse_index(line.label)
            if index is None:
                first = first or line
                if len(texts) <= known.num_classes:  # more say no more
                    texts.add(line.label)
            elif index in classes:
                numbers.add(index)
                seen.add(line.label)
            else:
                outside, extremes = outside or line, {min(extremes | {index}), max(extremes | {index})}
        self._numbers = frozenset(numbers)
        self._names, self.by = self._lookup(first, texts, numbers, outside)
        if self._names is None and outside is not None:
            self._refuse(outside, numbers | extremes)

    def index(self, line: LabelLine) -> int:
        """Class of a line, 0..C-1. Raises `BadInput`, naming file and line, for a name of no class or of several."""
        if (index := self._cache.get(line.label)) is None:
            number = parse_index(line.label) if self._names is None else self._named(line)
            assert number is not None, "the first pass saw to it"
            index = self._cache[line.label] = number - self._known.offset
        return index

    @property
    def doubt(self) -> Message | None:
        """A doubt about where the numbers are counted from."""
        if self._names is not None or self._known.offset:
            return None
        return numbering_warning(self._numbers, self._known.num_classes) if self._numbers else None

    @property
    def may_be_devkit(self) -> bool:
        """Whether these may be the numbers of ImageNet's devkit, which are in another order than any model's."""
        counted_from_one = self._known.offset == 1 and max(self._numbers, default=0) == DEVKIT_CLASSES
        return self._names is None and counted_from_one and self._known.num_classes == DEVKIT_CLASSES

    def _lookup(
        self, first: LabelLine | None, texts: set[str], numbers: set[int], outside: LabelLine | None
    ) -> tuple[ClassNames | None, Text]:
        """Where names are looked up, and the words for it; None for numbers."""
        known = self._known
        if known.map is not None:
            written = {*map(str, numbers), *([] if outside is None else [outside.label])}
            if first is None and not all(known.map.names.find(label) for label in written):
                raise BadInput(
                    "--labels and --class-map cannot be combined:"
                    f" {one_line(self._file.path.name)} already has class indices, which the map does not name"
                )
            return known.map.names, Message("classes by the class map {map}", map=known.map.path.name)
        if first is None:
            return None, ""
        if known.offset:
            raise BadInput(f"--label-offset {known.offset}: the labels of {one_line(self._file.path)} are not numbers")
        if known.model and (known.model.find(first.label) or not self._are_all_ids(texts, numbers)):
            return known.model, Message("classes by the model's class names")
        if self._are_all_ids(texts, numbers):
            ids = sorted({text.lower() for text in texts})
            return ClassNames((name, index) for index, name in enumerate(ids)), Message(
                "{classes} WordNet ids, numbered in sorted order", classes=len(ids)
            )
        self._unnamed(first)
        return None, ""

    def _are_all_ids(self, texts: set[str], numbers: set[int]) -> bool:
        """Whether the labels are WordNet ids, of every class of the model."""
        ids = {text.lower() for text in texts if WORDNET.fullmatch(text)}
        return not numbers and len(ids) == len(texts) == self._known.num_classes

    def _unnamed(self, line: LabelLine) -> None:
        where = self._where(line)
        if WORDNET.fullmatch(line.label):
            raise BadInput(f"{where} is a WordNet id, and the model has no class names. {_MAP}")
        raise BadInput(f"{where} is not a whole number, and the model has no class names. {_MAP}")

    def _named(self, line: LabelLine) -> int:
        assert self._names is not None
        found = self._names.find(line.label)
        if not found and (number := parse_index(line.label)) is not None:
            found = self._names.find(str(number))  # 3.0
        if len(found) == 1:
            return found[0]
        where = self._where(line)
        if found:
            raise BadInput(
                f"{where} is the name of several classes ({', '.join(map(str, found))}). Write indices or WordNet ids"
            )
        if self._known.map is not None:
            raise BadInput(f"{where} is not in the class map {one_line(self._known.map.path)}")
        what = "is a WordNet id" if WORDNET.fullmatch(line.label) else "is not a whole number"
        raise BadInput(f"{where} {what}, and not a class name of the model. {_MAP}")

    def _where(self, line: LabelLine) -> str:
        of = f" of {line.name!r}" if line.name else ""
        return f"{self._file.at(line.line)}: label {line.label[:80]!r}{of}"

    def _refuse(self, line: LabelLine, labels: set[int]) -> None:
        number = parse_index(line.label)
        assert number is not None
        known = self._known
        problem = range_problem(number, known.num_classes, known.offset, labels)
        if known.num_classes == DEVKIT_CLASSES and "--label-offset 1" in problem and self._file.alone:
            problem += (
                ", or, for the numbers of ImageNet's devkit (ILSVRC2012_ID, another order), its map_clsloc.txt with"
                " --class-map"
            )
        raise BadInput(f"{self._file.at(line.line)}: {problem}")

"""porter.diagnose.labels: each fault of the labels is named, and right or random labels are left in peace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from porter.diagnose.labels.label_faults import explain_labels
from porter.machine.statistics import wilson
from porter.records.suspects import LabelFinding

Integers = NDArray[np.int64]


def model(truth: Sequence[int] | Integers, num_classes: int, accuracy: float = 0.75, seed: int = 1) -> Integers:
    """Answers that are right with the given probability, and else any class."""
    random = np.random.default_rng(seed)
    right = random.random(len(truth)) < accuracy
    return np.where(right, truth, random.integers(0, num_classes, len(truth)))


def classes(count: int, num_classes: int, seed: int = 2) -> Integers:
    return np.random.default_rng(seed).integers(0, num_classes, count)


def text_ranks(names: Sequence[str]) -> Integers:
    ordered = sorted(names)
    return np.array([ordered.index(name) for name in names])


def only(findings: tuple[LabelFinding, ...]) -> LabelFinding:
    assert len(findings) == 1, findings
    return findings[0]


class TestFaults:
    @pytest.mark.parametrize("offset", [1, -1, 7])
    def test_shift(self, offset: int) -> None:
        labels = np.clip(classes(600, 100), 10, 90)
        answers = model(labels + offset, 100)
        found = only(explain_labels(answers, labels, 100))
        assert found.name == "shift"
        assert f"{abs(offset)} too {'low' if offset > 0 else 'high'}" in str(found.title)
        assert f"--label-offset {-offset}`" in str(found.remedy)
        assert found.hits == int((answers == labels + offset).sum())
        assert (found.count, found.hits_now) == (600, int((answers == labels).sum()))
        assert found.accuracy == pytest.approx(100 * found.hits / 600)
        assert found.interval == wilson(found.hits, 600)
        assert found.p_value < 1e-100
        assert found.examples[0] == f"{labels[0]} → {labels[0] + offset}"

    def test_a_shift_past_the_last_class_hits_nothing_there(self) -> None:
        """Labels 0..9 for classes -1..8: there is no class -1, and no answer, which is -1 too, is no hit."""
        labels = classes(400, 10)
        found = only(explain_labels(labels - 1, labels, 10))
        assert (found.name, found.hits) == ("shift", int((labels > 0).sum()))

    @pytest.mark.parametrize("offset", [1, -1])
    def test_a_shift_that_wraps_round(self, offset: int) -> None:
        """Remainders make 0 follow the last class: still a shift, with the accuracy of the model, and no offset."""
        truth = classes(280, 14)
        found = only(explain_labels(model(truth, 14), (truth - offset) % 14, 14))
        assert found.name == "shift" and "1 too" in str(found.title) and "--label-offset" not in str(found.remedy)
        assert found.hits == int((model(truth, 14) == truth).sum())

    def test_background_class(self) -> None:
        labels = classes(500, 1000)
        found = only(explain_labels(model(labels + 1, 1001), labels, 1001))
        assert found.name == "background"
        assert "1001" in str(found.title)

    def test_background_class_of_another_data_set(self) -> None:
        labels = classes(500, 20)
        assert only(explain_labels(model(labels + 1, 21), labels, 21)).name == "background"

    @pytest.mark.parametrize("first", [0, 1])
    def test_numeric_folders_sorted_as_text_in_training(self, first: int) -> None:
        """The model comes from torchvision's ImageFolder; porter reads the folders as numbers."""
        ranks = text_ranks([str(first + c) for c in range(120)])
        labels = classes(400, 120)
        found = only(explain_labels(model(ranks[labels], 120), labels, 120))
        assert found.name == "folder-order"
        assert f"model numbers the classes by folder names sorted as text ({first}" in str(found.title)

    def test_numeric_folders_sorted_as_text_in_the_label_file(self) -> None:
        ranks, truth = text_ranks([str(c) for c in range(120)]), classes(400, 120)
        found = only(explain_labels(model(truth, 120), ranks[truth], 120))
        assert found.name == "folder-order"
        assert "labels number" in str(found.title)

    def test_twelve_images_of_twelve_folders(self) -> None:
        names = [str(c) for c in range(12)]
        answers = text_ranks(names)
        found = only(explain_labels(answers, range(12), 12, names))
        assert (found.name, found.hits, found.hits_now) == ("folder-order", 12, 2)
        assert found.examples == ("2 → 4", "3 → 5", "4 → 6")

    def test_named_folders_sorted_by_number(self) -> None:
        names = sorted(f"class{c}" for c in range(30))
        by_number = np.array([int(name.removeprefix("class")) for name in names])
        labels = classes(300, 30)
        found = only(explain_labels(model(by_number[labels], 30), labels, 30, names))
        assert found.name == "folder-order"
        assert "by number" in str(found.title)

    def test_named_folders_sorted_without_case(self) -> None:
        names = sorted(f"{'ABab'[c % 4]}{c:02}" for c in range(24))
        ordered = sorted(names, key=str.casefold)
        labels = classes(300, 24)
        answers = model(np.array([ordered.index(name) for name in names])[labels], 24)
        assert "case" in str(only(explain_labels(answers, labels, 24, names)).title)

    def test_folders_of_some_classes_only(self) -> None:
        """Trained on the folders 3, 10 and 20 alone: their order as text is 10, 20, 3."""
        names = [str(c) if c in (3, 10, 20) else "" for c in range(21)]
        labels = np.tile([3, 10, 20], 60)
        found = explain_labels(model(np.tile([2, 0, 1], 60), 3), labels, 21, names)
        assert ("folder-order", True) in [(one.name, "as text" in str(one.title)) for one in found]

    @pytest.mark.parametrize("lines", [1, -1, 42])
    def test_slipped_lines(self, lines: int) -> None:
        truth = classes(500, 50)
        found = only(explain_labels(model(truth, 50), np.roll(truth, lines), 50))
        assert found.name == "rotation"
        assert f"{abs(lines)} line" in str(found.title)
        assert ("down" in str(found.title)) == (lines > 0)

    def test_one_line_missing_from_the_middle(self) -> None:
        truth = classes(500, 50)
        labels = np.r_[truth[:100], truth[101:], truth[:1]]
        found = only(explain_labels(model(truth, 50), labels, 50))
        assert (found.name, found.hits_now < 120) == ("rotation", True)

    def test_labels_in_numeric_order_for_images_in_text_order(self) -> None:
        numeric = [f"img{number}.jpg" for number in range(400)]
        truth = dict(zip(numeric, classes(400, 20).tolist(), strict=True))
        ids = sorted(numeric)
        answers, labels = model([truth[i] for i in ids], 20), [truth[i] for i in numeric]
        found = only(explain_labels(answers, labels, 20, ids=ids))
        assert found.name == "image-order"
        assert "labels are in the order of image names sorted by number" in str(found.title)
        assert explain_labels(answers, labels, 20) == ()  # without names nobody can know

    def test_answers_in_numeric_order(self) -> None:
        numeric = [f"img{number}.jpg" for number in range(400)]
        truth = dict(zip(numeric, classes(400, 20).tolist(), strict=True))
        ids = sorted(numeric)
        found = explain_labels(model([truth[i] for i in numeric], 20), [truth[i] for i in ids], 20, ids=ids)
        assert "predictions are in the" in str(only(found).title)

    def test_reversed_labels(self) -> None:
        truth = classes(300, 20)
        assert "reverse" in str(only(explain_labels(model(truth, 20), truth[::-1].copy(), 20)).title)

    def test_any_permutation_is_scored_on_images_it_was_not_learned_from(self) -> None:
        order, labels = np.random.default_rng(8).permutation(40), classes(800, 40)
        found = only(explain_labels(order[model(labels, 40)], labels, 40))
        assert found.name == "permutation"
        assert 380 < found.count < 420
        assert 70 < found.accuracy < 82
        for example in found.examples:
            label, answer = (int(part.split()[0]) for part in example.split(" → "))
            assert order[label] == answer

    def test_the_devkit_s_order_is_suspected_and_comes_last(self) -> None:
        """Two images a class, an order of its own: named, with the way out, and never ahead of a simple shift."""
        order = np.random.default_rng(5).permutation(100)
        labels = np.tile(np.arange(100), 3)
        found = only(explain_labels(model(order[labels], 100), labels, 100))
        assert found.name == "permutation" and "another numbering of the same classes" in str(found.title)
        assert "map_clsloc.txt" in str(found.remedy)
        shifted = np.tile(np.arange(1, 99), 3)
        names = [one.name for one in explain_labels(model(shifted, 100), shifted - 1, 100)]
        assert names and names[0] == "shift" and "permutation" not in names

    def test_two_classes_swapped(self) -> None:
        labels = classes(300, 2)
        assert only(explain_labels(1 - model(labels, 2, 0.8), labels, 2)).name == "permutation"

    def test_equal_faults_are_all_named(self) -> None:
        """With one image a class, in order, a shift of the labels and a slip of their lines are one and the same."""
        truth = np.arange(1, 999)
        found = explain_labels(model(truth, 1000), truth - 1, 1000)
        assert {one.name for one in found} == {"shift", "rotation"}
        assert [one.accuracy for one in found] == sorted((one.accuracy for one in found), reverse=True)


class TestNoFalseAlarm:
    @pytest.mark.parametrize("accuracy", [1.0, 0.76, 0.3])
    @pytest.mark.parametrize("num_classes", [2, 10, 1000])
    def test_right_labels(self, num_classes: int, accuracy: float) -> None:
        labels = classes(900, num_classes)
        assert explain_labels(model(labels, num_classes, accuracy), labels, num_classes) == ()
        labels.sort()
        assert explain_labels(model(labels, num_classes, accuracy), labels, num_classes) == ()

    def test_constant_answers(self) -> None:
        """Nine labels of ten are 6, all answers are 5: a shift "hits" 90%, as any constant answer would."""
        labels = np.where(np.arange(400) % 10 == 0, 3, 6)
        assert explain_labels([5] * 400, labels, 10) == ()

    def test_no_answers(self) -> None:
        assert explain_labels([-1] * 50, classes(50, 10), 10) == ()
        assert explain_labels([], [], 10) == ()
        assert explain_labels([0], [0], 1) == ()

    @settings(max_examples=300)
    @given(
        seed=st.integers(0, 2**32),
        num_classes=st.sampled_from([2, 3, 10, 100, 1000]),
        count=st.integers(1, 600),
        spread=st.sampled_from([0.05, 0.5, 5.0]),
        in_order=st.booleans(),
    )
    def test_random_labels(self, seed: int, num_classes: int, count: int, spread: float, in_order: bool) -> None:
        """Independent answers and labels of any two distributions, skewed ones too, labels in order or not."""
        random = np.random.default_rng(seed)
        answers, labels = (
            random.choice(num_classes, count, p=random.dirichlet(np.full(num_classes, spread))) for _ in range(2)
        )
        if in_order:
            labels.sort()
        ids = [f"{number}.png" for number in range(count)]
        assert explain_labels(answers, labels, num_classes, ids=ids) == ()

    @settings(max_examples=100)
    @given(
        seed=st.integers(0, 2**32),
        num_classes=st.sampled_from([20, 100, 1000]),
        targets=st.sampled_from([2, 20, 1000]),
        each=st.sampled_from([1, 5]),
        steadiness=st.sampled_from([0.3, 1.0]),
    )
    def test_wrong_answers_alike_within_a_class(
        self, seed: int, num_classes: int, targets: int, each: int, steadiness: float
    ) -> None:
        """A broken model gives all images of a class the same wrong answer. No shift or order explains that; a
        permutation may: where every class has an answer of its own, it is one."""
        random = np.random.default_rng(seed)
        labels = np.repeat(np.arange(num_classes), each)
        steady = random.integers(0, min(targets, num_classes), num_classes)[labels]
        answers = np.where(
            random.random(len(labels)) < steadiness, steady, random.integers(0, num_classes, len(labels))
        )
        assert {one.name for one in explain_labels(answers, labels, num_classes)} <= {"permutation"}


@pytest.mark.parametrize(
    ("answers", "labels", "names", "ids"),
    [
        ([0, 1], [0], (), ()),
        ([0], [0], ("a",), ()),
        ([0], [0], (), ("a", "b")),
        ([3], [0], (), ()),
        ([-2], [0], (), ()),
        ([0], [3], (), ()),
        ([0], [-1], (), ()),
    ],
)
def test_refuses(answers: list[int], labels: list[int], names: Sequence[str], ids: Sequence[str]) -> None:
    with pytest.raises(ValueError, match=r"answers|labels"):
        explain_labels(answers, labels, 3, names, ids)


def test_the_order_of_fifty_thousand_images_is_found() -> None:
    labels = classes(50_000, 1000)
    ids = [f"ILSVRC2012_val_{number:08}.JPEG" for number in range(50_000)]
    found = explain_labels(model(labels, 1000)[::-1].copy(), labels, 1000, ids=ids)
    assert only(found).name == "image-order"

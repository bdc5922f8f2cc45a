"""The worst classes and the commonest confusions: said where there are images enough, and not otherwise."""

from __future__ import annotations

from porter.builtin.classes import FEWEST_IMAGES, ROWS, ClassTally


def tally(counts: dict[tuple[int, int | None], int], names: tuple[str, ...] = ()) -> ClassTally:
    found = ClassTally(names)
    for (label, answer), count in counts.items():
        for _ in range(count):
            found.add(label, answer)
    return found


def test_worst_classes_come_first_with_their_interval() -> None:
    worst, confusions = tally(
        {(0, 0): 9, (0, 1): 1, (1, 1): 5, (1, 2): 4, (1, None): 1, (2, 2): 10}, ("a", "b")
    ).tables()
    assert [row[:4] for row in worst.rows] == [("1 b", 10, 5, 50.0), ("0 a", 10, 9, 90.0)]
    low, high = worst.rows[0][4:]
    assert isinstance(low, float) and isinstance(high, float) and 20 < low < 50 < high < 80
    assert confusions.rows == (("1 b", "2", 4),), "one of a kind tells nothing, and no answer is no class"


def test_one_image_a_class_says_nothing() -> None:
    assert tally({(label, label + 1): 1 for label in range(1000)}).tables() == ()


def test_a_class_of_few_images_is_not_ranked() -> None:
    (confusions,) = tally({(0, 1): FEWEST_IMAGES - 1}).tables()
    assert confusions.rows == (("0", "1", FEWEST_IMAGES - 1),)
    assert len(tally({(0, 1): FEWEST_IMAGES}).tables()) == 2


def test_nothing_wrong_is_no_table() -> None:
    assert tally({(0, 0): 50, (1, 1): 50}).tables() == ()


def test_only_the_first_rows_are_kept() -> None:
    worst, confusions = tally({(label, 99): 10 for label in range(30)}).tables()
    assert [row[0] for row in worst.rows] == [str(label) for label in range(ROWS)]
    assert len(confusions.rows) == ROWS

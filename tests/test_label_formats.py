"""Label files as people have them: every form gives the same classes, or one line that says what is missing."""

from __future__ import annotations

import json
import tracemalloc
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from porter.data.class_map import read_class_map
from porter.data.class_names import ClassNames
from porter.data.label_classes import KnownClasses
from porter.data.label_file import read_label_file
from porter.data.labels import Matched, match_labels
from porter.errors import BadInput

WNIDS = ("n01440764", "n01443537", "n01484850")
NAMES = ("tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark, white shark")
IDS = ("ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG", "ILSVRC2012_val_00000003.JPEG")
CLASSES = (2, 0, 1)
SAMPLE = Path(__file__).resolve().parents[1].parent / "shared/data/imagenet-sample"


def matched(
    tmp_path: Path,
    content: str | bytes,
    ids: Sequence[str] = IDS,
    names: Sequence[str] = (),
    num_classes: int = 3,
    offset: int = 0,
    class_map: str | None = None,
    file: str = "labels",
) -> Matched:
    path = tmp_path / file
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    by_map = None
    if class_map is not None:
        (tmp_path / "map").write_text(class_map)
        by_map = read_class_map(tmp_path / "map", num_classes, offset)
    model = ClassNames((name, index) for index, name in enumerate(names))
    known = KnownClasses(num_classes=num_classes, model=model, offset=offset, map=by_map)
    return match_labels(ids, read_label_file(path), known)


def rows(form: str, labels: Sequence[object] = CLASSES, names: Sequence[str] = IDS, start: str = "") -> str:
    return start + "".join(
        form.format(name=n, stem=n.removesuffix(".JPEG"), label=c) for n, c in zip(names, labels, strict=True)
    )


NUMBERS: dict[str, str | bytes] = {
    "blanks": rows("{name} {label}\n"),
    "blanks with header": rows("{name} {label}\n", start="filename label\n"),
    "val_map.txt": rows("{name}\t{label}\n"),
    "csv": rows("{name},{label}\n"),
    "csv with a blank": rows("{name}, {label}\n"),
    "csv with header": rows("{name},{label}\n", start="NAME,LABEL\n"),
    "csv with an unknown header": rows("{name},{label}\n", start="pic,what it is\n"),
    "metadata.csv": rows("{name},{label}\n", start="file_name,label\n"),
    "semicolons": rows("{name};{label}\n", start="file;class\n"),
    "tabs with header": rows("{name}\t{label}\n", start="image\ttarget\n"),
    "quotes": rows('"{name}","{label}"\n', start='"file_name","label"\n'),
    "mark and CRLF": b"\xef\xbb\xbf" + rows("{name},{label}\r\n", start="file_name,label\r\n").encode(),
    "floats": rows("{name},{label}.0\n", start="file_name,label\n"),
    "index column": "," + rows("7,{name},{label}\n", start="file_name,label\n"),
    "label in front": rows("{label},{name}\n", start="label,filename\n"),
    "label in front, no header": rows("{label},{name}\n"),
    "more columns": rows("{name},500,375,{label},tench\n", start="filename,width,height,label_id,class_name\n"),
    "more columns, no header": rows("{name},tench,{label}\n"),
    "without suffix": rows("{stem} {label}\n"),
    "folders in front": rows("/data/ILSVRC/val/{name} {label}\n"),
    "folders in front, no suffix": rows("val/{stem},{label}\n"),
    "Windows paths": rows("D:\\images\\val\\{name} {label}\n"),
    "another suffix": rows("{stem}.png {label}\n"),
    "lower case": rows("{name} {label}\n").lower(),
    "JSON": json.dumps(dict(zip(IDS, CLASSES, strict=True))),
    "JSON of text": json.dumps({name: str(label) for name, label in zip(IDS, CLASSES, strict=True)}),
    "JSON of objects": json.dumps([{"file_name": n, "label": c} for n, c in zip(IDS, CLASSES, strict=True)]),
    "JSON of pairs": json.dumps({"labels": [list(pair) for pair in zip(IDS, CLASSES, strict=True)]}),
    "JSON of nested objects": json.dumps({n: {"label": c, "score": 1} for n, c in zip(IDS, CLASSES, strict=True)}),
    "JSON by class": json.dumps({str(c): [n] for n, c in zip(IDS, CLASSES, strict=True)}),
    "metadata.jsonl": "".join(
        json.dumps({"file_name": n, "label": c}) + "\n" for n, c in zip(IDS, CLASSES, strict=True)
    ),
    "alone": "2\n0\n1\n",
    "alone, JSON": "[2, 0, 1]",
}


@pytest.mark.parametrize("form", NUMBERS)
def test_every_form_gives_the_classes(tmp_path: Path, form: str) -> None:
    assert tuple(matched(tmp_path, NUMBERS[form]).labels.values()) == CLASSES


WORDS: dict[str, str] = {
    "LOC_val_solution.csv": rows(
        "{stem},{label} 111 108 431 202 \n", [WNIDS[c] for c in CLASSES], start="ImageId,PredictionString\n"
    ),
    "two boxes": rows(
        "{stem},{label} 1 2 3 4 {label} 5 6 7 8\n", [WNIDS[c] for c in CLASSES], start="ImageId,PredictionString\n"
    ),
    "without header": rows("{stem},{label} 1 2 3 4\n", [WNIDS[c] for c in CLASSES]),
    "blanks": rows("{name} {label}\n", [WNIDS[c] for c in CLASSES]),
    "JSON": json.dumps({n: WNIDS[c] for n, c in zip(IDS, CLASSES, strict=True)}),
    "synset_labels": "".join(f"{WNIDS[c]}\n" for c in CLASSES),
}


@pytest.mark.parametrize("form", WORDS)
def test_wordnet_ids(tmp_path: Path, form: str) -> None:
    """Of all classes of the model: as sorted; through a class map: whatever it says; else what is missing is said."""
    found = matched(tmp_path, WORDS[form])
    assert tuple(found.labels.values()) == CLASSES
    assert "3 WordNet ids, numbered in sorted order" in str(found.source)
    turned = "".join(f"{wnid} {2 - index}\n" for index, wnid in enumerate(WNIDS))
    found = matched(tmp_path, WORDS[form], class_map=turned)
    assert tuple(found.labels.values()) == tuple(2 - c for c in CLASSES)
    assert "classes by the class map map" in str(found.source)
    assert tuple(matched(tmp_path, WORDS[form], names=WNIDS[::-1]).labels.values()) == tuple(2 - c for c in CLASSES)
    reason = r"label 'n01484850'.* is a WordNet id, and the model has no class names. Give a class map .*--class-map"
    with pytest.raises(BadInput, match=reason):
        matched(tmp_path, WORDS[form], num_classes=1000)


@pytest.mark.parametrize(
    "labels",
    [
        ("great white shark, white shark", "tench, Tinca tinca", "goldfish, Carassius auratus"),
        ("great white shark", "Tench", "goldfish"),
        ("Great_White_Shark", "tinca_tinca", "CARASSIUS AURATUS"),
        ("white shark", "Tinca tinca", "Goldfish, Carassius auratus"),
    ],
)
@pytest.mark.parametrize("form", ['{name},"{label}"\n', "{name}\t{label}\n", "{name} {label}\n"])
def test_class_names(tmp_path: Path, form: str, labels: Sequence[str]) -> None:
    content = rows(form, labels)
    found = matched(tmp_path, content, names=NAMES)
    assert tuple(found.labels.values()) == CLASSES and "by the model's class names" in str(found.source)
    index = json.dumps({str(k): [w, n.split(",")[0]] for k, (w, n) in enumerate(zip(WNIDS, NAMES, strict=True))})
    if all("tinca" not in label.lower() for label in labels):
        assert tuple(matched(tmp_path, content, class_map=index).labels.values()) == CLASSES
    with pytest.raises(BadInput, match=r"line 1: label 'g?.*no class names. Give a class map"):
        matched(tmp_path, content)


def test_a_name_of_no_class_and_of_several(tmp_path: Path) -> None:
    content = "a.jpg,crane\n"
    with pytest.raises(BadInput, match=r"line 1: label 'crane' of 'a\.jpg' is the name of several classes \(0, 1\)"):
        matched(tmp_path, content, ["a.jpg"], names=["crane", "crane", "ox"])
    with pytest.raises(BadInput, match=r"label 'crane' .*, and not a class name of the model"):
        matched(tmp_path, content, ["a.jpg"], names=NAMES)
    with pytest.raises(BadInput, match=r"label 'crane' .* is not in the class map"):
        matched(tmp_path, content, ["a.jpg"], class_map="tench 0\n")
    with pytest.raises(BadInput, match=r"--label-offset 1: the labels of .* are not numbers"):
        matched(tmp_path, content, ["a.jpg"], names=NAMES, offset=1)


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ("%E5%9B%BE/a%20b.jpg 1\n", ["图/a b.jpg"]),
        ("\uff21\uff22\uff11.jpg 1\n", ["AB1.jpg"]),
        (unicodedata.normalize("NFD", "é.jpg") + " 1\n", [unicodedata.normalize("NFC", "é.jpg")]),
        ("a.JPEG 1\n", ["a.JPEG.jpg"]),
        ("x/a.jpg 1\n", ["val/x/a.jpg", "val/x/b.jpg"][:1]),
    ],
)
def test_names_as_other_systems_spell_them(tmp_path: Path, content: str, ids: list[str]) -> None:
    assert list(matched(tmp_path, content, ids).labels.values()) == [1]


def test_folders_in_front_tell_equal_names_apart(tmp_path: Path) -> None:
    ids = ["x/a.jpg", "y/a.jpg"]
    assert matched(tmp_path, "/data/y/a.jpg,1\n/data/x/a.jpg,0\n", ids).labels == {"x/a.jpg": 0, "y/a.jpg": 1}
    with pytest.raises(BadInput, match="line 1: 'a' fits 2 images"):
        matched(tmp_path, "a 1\n", ids)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a.jpg,3\n", "line 1: label 3 is outside"),
        ("a.jpg,-1\n", "line 1: label -1 is outside"),
        ("file,label\na.jpg,0\na.jpg,1\n", "line 3: 'a.jpg' has label 1 here and 0 in line 2"),
        ("a.jpg,0\nb.jpg,1,2\n", "line 2: 3 columns, 2 in the first line|not a whole number|expected `NAME"),
        ("a.jpg,0,1\nb.jpg,1,2\n", "3 columns without a header line. Add one"),
        ("ImageId,PredictionString\na,n01440764 1 2 3 4 n01443537 1 2 3 4\n", "line 2: boxes of several classes"),
        ('{"a.jpg": 0, "a.jpg": 1}', "entry 2: 'a.jpg' has label 1 here and 0 in entry 1"),
        ('{"a.jpg": null}', "neither a text nor a number"),
        ('{"a.jpg": true}', "neither a text nor a number"),
        ('[{"file": "a.jpg"}]', "entry 1 has no label; its keys are 'file'"),
        ('{"a.jpg": 0', "cannot read labels from JSON"),
        ("0\n1\n", "2 labels without names for 1 images .*`NAME label`"),
        ("甲.jpg 0\n".encode("gbk"), "line 1: not UTF-8. .* from GBK with `iconv -f GB18030 -t UTF-8 FILE > NEW`"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str | bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        matched(tmp_path, content, ["a.jpg"])


def test_lists_of_imagenet_s_own_go_by_the_numbers_of_the_images(tmp_path: Path) -> None:
    """Three of the 50,000 images, in class folders, and the whole list."""
    lines = [f"{place % 1000}\n" for place in range(50_000)]
    ids = [f"x/ILSVRC2012_val_{number:08}.JPEG" for number in (49_999, 7, 1_234)]
    found = matched(tmp_path, "".join(lines), sorted(ids), num_classes=1000)
    assert [found.labels[image_id] for image_id in ids] == [998, 6, 233]
    assert "matched by the numbers in image names" in str(found.source)


def test_labels_alone_need_one_order(tmp_path: Path) -> None:
    ids = sorted(f"{number}.jpg" for number in range(12))
    with pytest.raises(
        BadInput, match=r"the images is ambiguous: sorted 2 before 10, image 3 is '2\.jpg', else '10\.jpg'. Write"
    ):
        matched(tmp_path, "0\n" * 12, ids)
    found = matched(tmp_path, "2\n0\n1\n", ["a.jpg", "b.jpg", "c.jpg"])
    assert "one label per line, in the order of image names" in str(found.source)


def test_numbers_of_the_devkit_are_suspected_and_translated(tmp_path: Path) -> None:
    ids = [f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, 1001)]
    content = "".join(f"{number}\n" for number in range(1, 1001))
    with pytest.raises(BadInput, match=r"--label-offset 1, or, for the numbers of ImageNet's devkit .*map_clsloc\.txt"):
        matched(tmp_path, content, ids, num_classes=1000)
    found = matched(tmp_path, content, ids, num_classes=1000, offset=1)
    assert ["ILSVRC2012_ID" in str(warning) for warning in found.warnings] == [True]
    # The devkit's first class is the last of the sorted ids, and so on.
    devkit = "".join(f"n{20_000_000 - number:08} {number} some_name_{number}\n" for number in range(1, 1001))
    found = matched(tmp_path, content, ids, num_classes=1000, class_map=devkit)
    assert list(found.labels.values()) == list(range(999, -1, -1))


def test_memory_is_a_few_times_the_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"folder/some_longer_name_{place:08}.jpg {place % 3}\n" for place in range(100_000)))
    ids = tuple(f"folder/some_longer_name_{place:08}.jpg" for place in range(9))
    tracemalloc.start()
    match_labels(ids, read_label_file(path), KnownClasses(num_classes=3, model=ClassNames(())))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * path.stat().st_size


def test_the_labels_of_a_real_set_in_other_forms(tmp_path: Path) -> None:
    if not SAMPLE.is_dir():
        pytest.skip("no sample of real images beside the project")
    ids = tuple(sorted(path.name for path in (SAMPLE / "val").iterdir()))
    wanted = match_labels(
        ids, read_label_file(SAMPLE / "val_label.txt"), KnownClasses(num_classes=1000, model=ClassNames(()))
    ).labels
    kaggle = "".join(f"{name.removesuffix('.JPEG')},{name[:9]} 1 2 3 4\n" for name in ids)
    assert matched(tmp_path, "ImageId,PredictionString\n" + kaggle, ids, num_classes=1000).labels == wanted
    words = "".join(f"{name},{name[10:].removesuffix('.JPEG')}\n" for name in ids)
    index = json.dumps({str(wanted[name]): [name[:9], name[10:].removesuffix(".JPEG")] for name in ids})
    with pytest.raises(BadInput, match=r"label '(crane|maillot)' .* is the name of several classes"):
        matched(tmp_path, words, ids, num_classes=1000, class_map=index)
    with pytest.raises(BadInput, match=r"is a WordNet id, and the model has no class names\. Give a class map"):
        matched(tmp_path, kaggle[: len(kaggle) // 2].rpartition("\n")[0], ids, num_classes=1000)

"""Label files and class maps."""

from __future__ import annotations

from pathlib import Path

from corpus.case import Case
from corpus.configs import ONNX

MAP = ONNX.replace("--labels labels.txt", "--class-map map").replace("--data val", "--data folders")
GOOD = "".join(f"{k}.png {k % 3}\n" for k in range(9))
IMAGE = b"\x89PNG\r\n\x1a\n"
FOLDERS = {f"folders/{name}/a.png": IMAGE for name in ("red", "green", "blue")}


def _labels(text: str | bytes) -> dict[str, str | bytes]:
    return {"labels.txt": text}


def _map(text: str | bytes) -> dict[str, str | bytes]:
    return {**FOLDERS, "map": text}


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


CASES = [
    Case(name="absent", command=ONNX.replace("labels.txt", "absent.txt"), says="--labels absent.txt: no such file"),
    Case(
        name="a folder", command=ONNX.replace("labels.txt", "val"), says="val: a folder; the label file must be a file"
    ),
    Case(name="a link to a device", command=ONNX, says="labels.txt: not a regular file", files={"labels.txt": _device}),
    Case(name="empty", command=ONNX, says="labels.txt: the label file is empty", files=_labels("")),
    Case(
        name="only comments",
        command=ONNX,
        says="no labels, only blank lines and comments",
        files=_labels("# 0.png 0\n"),
    ),
    Case(
        name="UTF-16",
        command=ONNX,
        says="the label file is UTF-16. Save it as UTF-8",
        files=_labels(GOOD.encode("utf-16")),
    ),
    Case(name="Latin-1", command=ONNX, says="labels.txt, line 2: not UTF-8", files=_labels(b"0.png 0\n\xe9.png 1\n")),
    Case(
        name="no labels in the lines",
        command=ONNX,
        says=r"labels\.txt, line 1: expected `NAME label`",
        files=_labels("0.png\n1.png\n"),
    ),
    Case(
        name="a fraction",
        command=ONNX,
        says="line 1: label '0.5' of '0.png' is not a whole number",
        files=_labels("0.png 0.5\n"),
    ),
    Case(
        name="a number with underscores",
        command=ONNX,
        says="label '1_000' of '0.png' is not a whole number",
        files=_labels("0.png 1_000\n"),
    ),
    Case(
        name="a number of 5,000 digits",
        command=ONNX,
        says="label '9{80}' of '0.png' is not a whole number",
        files=_labels("0.png " + "9" * 5000),
    ),
    Case(
        name="counted from one",
        command=ONNX,
        says=r"label 3 is outside 0\.\.2; labels run from 1 to 3\. Use --label-offset 1",
        files=_labels("".join(f"{k}.png {k % 3 + 1}\n" for k in range(9))),
    ),
    Case(
        name="negative",
        command=ONNX,
        says="line 1: label -1 is outside 0..2",
        files=_labels(GOOD.replace("0.png 0", "0.png -1")),
    ),
    Case(
        name="an offset of 10^30",
        command=f"{ONNX} --label-offset {10**30}",
        says="label 0 minus the offset 10+ gives -10+, which is outside 0..2",
    ),
    Case(
        name="an image without a label",
        command=ONNX,
        says=r"no label for 1 of 9 images \('8.png'\)",
        files=_labels(GOOD.replace("8.png 2\n", "")),
    ),
    Case(
        name="two labels for an image",
        command=ONNX,
        says="line 10: '0.png' has label 1 here and 0 in line 1",
        files=_labels(GOOD + "0.png 1\n"),
    ),
    Case(
        name="labels of other images",
        command=ONNX,
        says="no label matches an image by name",
        files=_labels("a.jpg 0\n"),
    ),
    Case(
        name="names that lead out",
        command=ONNX,
        says="no label matches an image by name. The file has '../../../etc/passwd'",
        files=_labels("../../../etc/passwd 0\n/etc/shadow 1\n"),
    ),
    Case(
        name="terminal controls in a name",
        command=ONNX,
        says=r"label 'x' of '\\x1b\[2Ja' is not a whole number",
        files=_labels("\x1b[2Ja x\n"),
    ),
    Case(
        name="a mark that reverses text, in a name",
        command=ONNX,
        says=r"label 'x' of '\\u202egnp.0' is not a whole number",
        files=_labels("\u202egnp.0 x\n"),
    ),
    Case(
        name="a flat folder and no labels",
        command=ONNX.replace("--labels labels.txt ", ""),
        says="no labels: the data folder has 9 images and no class folders",
    ),
    Case(
        name="labels and a class map",
        command=f"{ONNX} --class-map labels.txt",
        says="--labels and --class-map cannot be combined",
    ),
    Case(
        name="GBK",
        command=ONNX,
        says="labels.txt, line 1: not UTF-8. .*iconv -f GB18030",
        files=_labels("\u7532.png 0\n".encode("gbk")),
    ),
    Case(
        name="WordNet ids and no class names",
        command=ONNX,
        says="labels.txt, line 1: label 'n01440764' of '0.png' is a WordNet id, and .* --class-map",
        files=_labels("".join(f"{k}.png,n01440764\n" for k in range(9))),
    ),
    Case(
        name="numbers without names",
        command=ONNX,
        says="labels.txt: 3 labels without names for 9 images",
        files=_labels("0\n1\n2\n"),
    ),
    Case(
        name="a level too high",
        command=ONNX.replace("--labels labels.txt ", "").replace("--data val", "--data up"),
        says="'test', 'train', 'val' are splits, not classes. Use --data .*up/val",
        files={f"up/{split}/{name}/a.png": IMAGE for split in ("train", "val", "test") for name in ("a", "b", "c")},
    ),
    Case(
        name="a level too high, labels of one split",
        command=ONNX.replace("--data val", "--data up"),
        says="are splits, not classes. Use --data .*up/val and a label file",
        files={f"up/{split}/{split}{k}.png": IMAGE for split in ("train", "val") for k in range(2)}
        | _labels("val0.png 0\nval1.png 1\n"),
    ),
    Case(
        name="an archive for a folder",
        command=ONNX.replace("--data val", "--data val.tar"),
        says="--data val.tar: an archive. Unpack it and use its folder, or use --data tar://::val.tar",
        files={"val.tar": "x"},
    ),
    Case(
        name="a compressed archive for a folder",
        command=ONNX.replace("--data val", "--data val.tar.gz"),
        says="--data val.tar.gz: an archive. Unpack it and use its folder$",
        files={"val.tar.gz": "x"},
    ),
    Case(name="map: absent", command=MAP, says="--class-map map: no such file", files=dict(FOLDERS)),
    Case(
        name="map: a folder too few",
        command=MAP,
        says=r"map: 1 of 3 folders are missing from the class map \('blue'\)",
        files=_map("red 0\ngreen 1\n"),
    ),
    Case(
        name="map: an index too large",
        command=MAP,
        says="map: folder 'blue': label 3 is outside 0..2",
        files=_map("red 0\ngreen 1\nblue 3\n"),
    ),
    Case(name="map: a folder twice", command=MAP, says="red", files=_map("red 0\nred 1\ngreen 1\nblue 2\n")),
    Case(
        name="map: JSON with a folder twice",
        command=MAP,
        says="class map: folder 'red' has two classes",
        files=_map('{"red": 0, "red": 1}'),
    ),
    Case(name="map: JSON cut short", command=MAP, says="the class map is not valid JSON", files=_map('{"red": 0, ')),
    Case(
        name="map: JSON ten thousand deep",
        command=MAP,
        says="map: the class map is (not valid JSON|nested)",
        files=_map('{"red": ' + "[" * 100_000),
    ),
    Case(
        name="map: JSON with a number of 5,000 digits",
        command=MAP,
        says="map: the class map is not valid JSON",
        files=_map('{"red": ' + "9" * 5000 + "}"),
    ),
    Case(
        name="map: JSON with text for a number",
        command=MAP,
        says="'red' needs a whole number",
        files=_map('{"red": "zero", "green": 1, "blue": 2}'),
    ),
]

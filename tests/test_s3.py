"""Images in S3, by s3fs: a store that is slow, cuts connections, refuses the key, or holds many objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket import Bucket, s3fs, serving
from tiny import start, write_photos

from porter.data import store
from porter.data.store import open_store
from porter.errors import BadInput, ExitCode
from porter.pipeline.run import Run

IMAGES = 60


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with serving() as bucket:
        yield bucket


@pytest.fixture(autouse=True)
def at_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait before another try, a bucket without faults, and nothing known of it."""
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(store, "WAIT", 0.0)
    bucket.pause, bucket.cut, bucket.refused_after, bucket.most = 0.0, lambda _path: False, None, 0


def test_a_run_goes_on_after_a_refused_key_and_gives_what_it_gives_of_a_folder(tmp_path: Path, bucket: Bucket) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * (IMAGES // 3))
    (tmp_path / "val/photo 031.jpg").write_bytes(b"torn")
    bucket.put("val", ((path.name, path.read_bytes()) for path in (tmp_path / "val").iterdir()))

    def begun(out: str, data: str, *, fresh: bool) -> Run:
        return start(tmp_path / out, data, labels, batch=2, fresh=fresh, runtimes=("onnxruntime",))

    local = begun("local", str(tmp_path / "val"), fresh=True)
    assert (local.export(), local.evaluate()) == (ExitCode.OK, ExitCode.OK)
    run = begun("s3", "s3://bucket/val", fresh=True)
    assert run.export() is ExitCode.OK
    once = {f"photo {number:03}.jpg" for number in range(0, IMAGES, 7)}
    bucket.pause, bucket.cut = 0.01, lambda name: name in once and not once.discard(name)
    bucket.refused_after = IMAGES // 2
    with pytest.raises(
        BadInput, match=r"photo \d+.jpg: cannot be read in 3 attempts: The AWS Access Key Id .*Repeat the command"
    ):
        run.evaluate()
    assert bucket.most > 1, "a slow store is asked for several images at a time"
    journal = (tmp_path / "s3/cache/predictions/reference.jsonl").read_bytes()
    assert 0 < journal.count(b'"ok"') < IMAGES - 1 and b"Key" not in journal
    bucket.refused_after = None
    run = begun("s3", "s3://bucket/val", fresh=False)
    assert run.evaluate() is ExitCode.OK and not once
    assert (tmp_path / "s3/predictions.csv").read_bytes() == (tmp_path / "local/predictions.csv").read_bytes()


def test_connections_that_always_end_early_stop_the_run(bucket: Bucket) -> None:
    bucket.put("cut", [("a.jpg", b"all of it")])
    images = open_store("s3://bucket/cut")
    assert images.list() == ("a.jpg",) and images.read("a.jpg") == b"all of it"
    bucket.cut = lambda name: name == "a.jpg"
    with pytest.raises(BadInput, match=r"^s3://bucket/cut/a.jpg: cannot be read in 3 attempts: .*Repeat the command"):
        images.read("a.jpg")


@pytest.mark.parametrize(
    ("key", "url", "says"),
    [
        ("wrong", "s3://bucket/val", "s3://bucket/val: cannot be listed: The AWS Access Key Id you provided does not"),
        (None, "s3://bucket/val", "s3://bucket/val: cannot be listed: Unable to locate credentials"),
        ("key", "s3://none/val", "s3://none/val: cannot be listed: The specified bucket does not exist"),
        ("key", "s3://bucket/none", "s3://bucket/none: no images found"),
    ],
)
def test_what_cannot_be_listed_is_said(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, key: str | None, url: str, says: str
) -> None:
    if key is None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    elif key == "wrong":
        bucket.refused_after = -1
    with pytest.raises(BadInput, match=f"^{says}"):
        open_store(url).list()


def test_many_small_objects_are_listed_in_a_request_for_each_thousand(bucket: Bucket) -> None:
    bucket.put("many", ((f"{number % 7}/{number:05}.jpg", b"small") for number in range(10_000)))
    before = bucket.requests
    images = open_store("s3://bucket/many").list()
    assert len(images) == 10_000 and images[:2] == ("0/00000.jpg", "0/00007.jpg")
    assert bucket.requests - before <= 20

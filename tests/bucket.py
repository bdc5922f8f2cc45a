"""A bucket of S3 on this machine, by moto's server: one that is slow, cuts answers off, or refuses the key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
pytest.importorskip("flask_cors")

from moto import settings  # noqa: E402
from moto.s3.models import s3_backends  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

ACCOUNT = "123456789012"
NAME = "bucket"


class Bucket:
    """Answers over HTTP on the loopback address."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._backend = s3_backends[ACCOUNT]["aws"]
        self._backend.create_bucket(NAME, "us-east-1")
        self._lock = threading.Lock()
        self._under_way = 0
        self.requests = 0
        self.most = 0
        """Requests that were under way at a time."""
        self.pause = 0.0
        """Seconds that each takes longer."""
        self.cut: Callable[[str], bool] = lambda _path: False
        """Of which objects the connection ends within the answer."""
        self.refused_after: int | None = None
        """Objects that are answered until the key counts no more."""

    def put(self, folder: str, files: Iterable[tuple[str, bytes]]) -> None:
        for name, content in files:
            self._backend.put_object(NAME, f"{folder}/{name}", content)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            self.requests += 1
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            of_object = environ["PATH_INFO"].count("/") > 1
            if self.refused_after is not None and of_object:
                self.refused_after -= 1
            refused = self.refused_after is not None and self.refused_after < 0
        try:
            time.sleep(self.pause)
            if of_object and self.cut(environ["PATH_INFO"].rpartition("/")[2]):
                start_response("200 OK", [("Content-Length", "1000")])
                return [b"the first of 1000 bytes"]
            settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0 if refused else float("inf")
            return list(self._app(environ, start_response))
        finally:
            with self._lock:
                self._under_way -= 1


class Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Nothing: what is asked for is no news."""


@contextmanager
def serving() -> Iterator[Bucket]:
    """The bucket, and the environment in which s3fs finds it, as a user sets it."""
    bucket = Bucket()
    server = make_server("127.0.0.1", 0, bucket, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_CONFIG_FILE", str(Path("/nonexistent")))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(Path("/nonexistent")))
        patch.setattr(s3fs.S3FileSystem, "retries", 1)
        s3fs.S3FileSystem.clear_instance_cache()
        yield bucket
        s3fs.S3FileSystem.clear_instance_cache()
    server.shutdown()
    server.server_close()
    thread.join()

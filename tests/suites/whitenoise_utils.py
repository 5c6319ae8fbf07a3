"""What WhiteNoise's tests import from `tests.utils`, which its sdist leaves out: made for this, by their use of it."""

from __future__ import annotations

import gzip
import tempfile
import threading
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import shift_path_info

import requests

CONTENTS = {
    "subdir/javascript.js": b"this is my javascript; " * 10,
    "compressed.css": b"a { color: red; }\n" * 200,
    "custom-mime.foobar": b"of no known kind",
    "with-index/index.html": b"<title>index</title>",
}


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class AppServer:
    """Serves an application below a prefix, and asks it."""

    PREFIX = "subdir"

    def __init__(self, application: Any) -> None:
        self.application = application
        self.server = make_server("127.0.0.1", 0, self._serve, handler_class=_Quiet)
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def _serve(self, environ: Any, start_response: Any) -> Any:
        if shift_path_info(environ) != self.PREFIX:
            start_response("404 Not Found", [])
            return []
        return self.application(environ, start_response)

    def get(self, *arguments: Any, **options: Any) -> Any:
        return self.request("get", *arguments, **options)

    def request(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        url = f"http://127.0.0.1:{self.server.server_port}/{path.lstrip('/')}"
        return requests.request(method, url, *arguments, timeout=10, **options)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Files:
    """Files in a folder of their own, with path, content and address of each by name."""

    def __init__(self, directory: str, **files: str) -> None:
        root = Path(tempfile.mkdtemp()) / directory
        self.directory = str(root)
        for path, content in CONTENTS.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        (root / "compressed.css.gz").write_bytes(gzip.compress(CONTENTS["compressed.css"]))
        for name, path in files.items():
            setattr(self, f"{name}_path", f"/{path}")
            setattr(self, f"{name}_content", (root / path).read_bytes())
            setattr(self, f"{name}_url", f"/{AppServer.PREFIX}/{path}")

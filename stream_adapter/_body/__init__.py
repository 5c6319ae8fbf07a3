"""A resolved response, opened: it pulls, reports and closes. One life in two forms, sync and async.

    start()   the first item is pulled and encoded; the caller can still answer its error, because nothing was sent
    iterate   blocks of bytes, in order; an error after commit is logged, reported in-band if the format can, and raised
    close()   the source is closed, once, wherever it stands; on_close gets the reason

After start() `status` and `headers` are final. The caller that made the body must close it, started or not.
"""

from .asynchronous import AsyncBody, PushedBody
from .base import CLIENT_CLOSED_REQUEST
from .hooks import Hooks, Host
from .sync import SyncBody

__all__ = ["CLIENT_CLOSED_REQUEST", "AsyncBody", "Hooks", "Host", "PushedBody", "SyncBody"]

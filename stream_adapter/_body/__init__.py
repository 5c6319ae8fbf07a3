"""A resolved response that is served: it pulls its source, reports and closes. It has a sync and an async form.

    start()   the first item is pulled and encoded; the caller can still answer its error, because nothing was sent
    iterate   blocks of bytes, in order; an error after commit is logged, sent as a record if the format has one, raised
    close()   the source is closed, once, wherever it stands; on_close gets the reason

After start() `status` and `headers` are final. The code that creates a body must close it, started or not.
"""

from .asynchronous import WAIT, AsyncBody
from .base import CLIENT_CLOSED_REQUEST
from .hooks import NO_HOOKS, Hooks, Host
from .pushed import PushedBody
from .sync import SyncBody

__all__ = ["CLIENT_CLOSED_REQUEST", "NO_HOOKS", "WAIT", "AsyncBody", "Hooks", "Host", "PushedBody", "SyncBody"]

"""A resolved response, opened. It pulls, reports and closes: one life in two forms, sync and async.

    start()   the first item is pulled and encoded; its error is the caller's to answer, nothing was sent
    iterate   blocks of bytes, in order; an error after commit is logged, told in-band where the format can, and raised
    close()   the source is closed, once, wherever it stands; on_close is told why it ended

After start() `status` and `headers` are final. Whoever made the body must close it, started or not.
"""

from .asynchronous import AsyncBody
from .ends import (
    CLIENT_CLOSED_REQUEST,
    BodyNotWanted,
    ClientDisconnected,
    ShuttingDown,
    StreamAborted,
    chain_of,
    follows_from_the_end,
)
from .hooks import Hooks, Host
from .pushed import PushedBody
from .sync import SyncBody

__all__ = [
    "CLIENT_CLOSED_REQUEST",
    "AsyncBody",
    "BodyNotWanted",
    "ClientDisconnected",
    "Hooks",
    "Host",
    "PushedBody",
    "ShuttingDown",
    "StreamAborted",
    "SyncBody",
    "chain_of",
    "follows_from_the_end",
]

"""Django's sqlite, with a count of the connections that are open."""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.sqlite3 import base

from tests.support.gate import BOUND


class Ledger:
    """How many connections this process has opened, and how many of them it has not closed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.opened = 0
        self.open = 0

    def count(self, change: int) -> None:
        with self._changed:
            self.open += change
            self.opened += max(change, 0)
            self._changed.notify_all()

    def wait_for_none(self) -> bool:
        """Return whether all are closed now, or are soon."""
        with self._changed:
            return self._changed.wait_for(lambda: self.open == 0, BOUND)


LEDGER = Ledger()


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        LEDGER.count(+1)
        return connection

    def _close(self) -> None:
        if self.connection is not None:
            super()._close()  # type: ignore[misc]  # django-stubs leaves this hook out
            LEDGER.count(-1)

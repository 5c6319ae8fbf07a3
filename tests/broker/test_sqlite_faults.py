"""What can happen to the file of the SQLite engine, and to the processes that share it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.engines import Frame
from stream_adapter.engines import _sqlite_notices as notices
from stream_adapter.engines._sqlite_store import Store
from stream_adapter.engines.sqlite import SQLiteEngine
from stream_adapter.errors import BrokerUnavailableError
from stream_adapter.testing import Listening, listening
from tests.support.gate import BOUND

TIMEOUT = 0.5  # seconds of publishing, where it is to fail


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sa-") as folder:  # short: the address of a socket has 107 bytes
        yield Path(folder)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "broker.db"


def broker(path: Path, timeout: float = 20.0) -> sa.Broker:
    return sa.Broker(f"sqlite:///{path}", publish_timeout=timeout)


def next_reset(heard: Listening) -> object:
    event = heard.next(30)
    assert event.event == "stream-reset", event
    return event.data["reason"]


def data_until(heard: Listening, last: object) -> list[object]:
    found = [heard.next(30).data]
    while found[-1] != last:
        found.append(heard.next(30).data)
    return found


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the write lock, as another program might."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# G5: the file is lost, or an older one


def back_up(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


@pytest.mark.parametrize("published_after", [0, 2, 3, 5], ids=["behind", "behind by one", "equal", "overtaken"])
@pytest.mark.parametrize("way", ["replaced", "copied over"])
def test_older_copy_that_is_put_back_is_a_reset_for_every_cursor(path: Path, way: str, published_after: int) -> None:
    copy = path.with_suffix(".copy")
    with broker(path) as live:
        live.publish("a", "kept")
        back_up(path, copy)
        cursor = live.publish_many("a", ["lost 1", "lost 2", "lost 3"])[-1]
    if way == "replaced":
        copy.replace(path)
    else:
        shutil.copyfile(copy, path)
    with broker(path) as live:
        for n in range(published_after):
            live.publish("a", f"new {n}")
        with listening(live, "a", since=cursor) as heard:
            assert next_reset(heard) == "epoch"
            live.publish("a", "last")
            assert data_until(heard, "last") == ["last"]


def test_file_that_is_opened_again_keeps_its_epoch(path: Path) -> None:
    with broker(path) as live:
        cursor = live.publish("a", "1")
        second = live.publish("a", "2", key="k")
    with broker(path) as live:
        assert live.publish("a", "2", key="k") == second
        with listening(live, "a", since=cursor) as heard:
            assert heard.next(30).data == "2"


def test_new_file_that_another_process_is_opening_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a server start at the same time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waits: list[float] = []
        opener, sleep_really = threading.current_thread(), time.sleep

        def sleep(seconds: float) -> None:
            if threading.current_thread() is not opener:  # a thread of another test
                sleep_really(seconds)
                return
            waits.append(seconds)
            if len(waits) == 3:
                other.execute("COMMIT")

        monkeypatch.setattr("stream_adapter.engines._sqlite_database.time.sleep", sleep)
        Store(path, 30.0).close()
        assert len(waits) == 3
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_file_that_is_replaced_under_listeners_resets_each_once(path: Path) -> None:
    copy = path.with_suffix(".copy")
    with broker(path) as live, broker(path) as other, listening(live, "a") as heard, listening(other, "a") as far:
        live.publish("a", "before")
        assert heard.next(30).data == far.next(30).data == "before"
        back_up(path, copy)
        copy.replace(path)
        live.publish("a", "after")
        for each in (heard, far):
            assert next_reset(each) == "epoch"
        other.publish("a", "last")
        for each in (heard, far):
            assert data_until(each, "last")[-1] == "last"


def test_file_that_is_deleted_is_made_again_and_listeners_are_reset(path: Path) -> None:
    with broker(path) as live, broker(path) as other, listening(live, "a") as heard:
        other.publish("a", "before")
        assert heard.next(30).data == "before"
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()
        other.publish("a", "after")
        assert next_reset(heard) == "epoch"
        other.publish("a", "last")
        assert data_until(heard, "last")[-1] == "last"


# G3: another program holds the write lock


def test_locked_file_is_an_error_within_the_timeout_and_nothing_is_stored(path: Path) -> None:
    with broker(path, TIMEOUT) as live:
        first = live.publish("a", "first")
        with locked(path):
            started = time.monotonic()
            with pytest.raises(BrokerUnavailableError, match="locked"):
                live.publish("a", "lost")
            assert time.monotonic() - started >= TIMEOUT * 0.9
        assert live.last_event_id("a") == first


def test_locked_file_does_not_make_publishers_wait_for_each_other(path: Path) -> None:
    async def publish_many(live: sa.Broker) -> tuple[list[object], float]:
        started = time.monotonic()
        results = await asyncio.gather(*(live.apublish("a", n) for n in range(40)), return_exceptions=True)
        return list(results), time.monotonic() - started

    with broker(path, TIMEOUT) as live:
        first = live.publish("a", "first")
        with locked(path):
            results, took = asyncio.run(publish_many(live))
        assert {type(result) for result in results} == {BrokerUnavailableError}
        assert took < 40 / 4 * TIMEOUT, "each waited in turn"
        assert live.last_event_id("a") == first


def test_listeners_stay_while_the_file_is_locked(path: Path) -> None:
    with broker(path, TIMEOUT) as live, listening(live, "a") as heard:
        with locked(path), pytest.raises(BrokerUnavailableError):
            live.publish("a", "lost")
        live.publish("a", "stored")
        assert heard.next(30).data == "stored"


def test_failure_after_the_commit_is_not_an_error_of_publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unregister(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    with broker(path) as live:
        live.publish("a", "first")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO stream_adapter_listeners VALUES (?)", (str(path.parent / "ended"),))
        monkeypatch.setattr(Store, "unregister", unregister)
        assert live.publish("a", "stored") == live.last_event_id("a")


_FULL = """
import resource, signal, sys
from pathlib import Path
import stream_adapter as sa

live = sa.Broker(f"sqlite:///{sys.argv[1]}", publish_timeout=20.0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{sys.argv[1]}-wal").stat().st_size, limits[1]))
try:
    live.publish("a", "too much")
except sa.BrokerUnavailableError:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    print(live.publish("a", "second"))
"""


def test_commit_that_fails_on_a_full_disk_loses_nothing_of_what_is_stored(path: Path) -> None:
    with broker(path) as live:
        run = live._engine.claim("answer", lease=60.0, retain=60.0)  # pyright: ignore[reportPrivateUsage]
        first = live.publish("a", "first")
        process = subprocess.run(
            [sys.executable, "-W", "error", "-c", _FULL, str(path)], capture_output=True, text=True, check=True
        )
        assert process.stdout.strip() == f"{first.rpartition('.')[0]}.2"
        assert live._engine.run_state("answer") is not None  # pyright: ignore[reportPrivateUsage]
        assert live._engine.append_many("answer", [Frame(b"x")], history=sa.History(), token=run.token)  # pyright: ignore[reportPrivateUsage]
        with listening(live, "a", since="earliest") as heard:
            assert [heard.next(30).data, heard.next(30).data] == ["first", "second"]


# where the file is


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into every folder")
def test_read_only_folder_of_the_database_raises_broker_unavailable(path: Path) -> None:
    path.parent.chmod(0o500)
    try:
        with broker(path) as live, pytest.raises(BrokerUnavailableError, match="unable to open"):
            live.publish("a", "x")
    finally:
        path.parent.chmod(0o700)


def test_missing_folder_of_the_database_raises_broker_unavailable(path: Path) -> None:
    with broker(path.parent / "missing" / "broker.db") as live:
        with pytest.raises(BrokerUnavailableError, match="unable to open"):
            live.publish("a", "x")
        with pytest.raises(BrokerUnavailableError, match="unable to open"):
            next(iter(live.subscribe("a")))


def test_publish_in_a_signal_handler_does_not_disturb_what_it_interrupts(path: Path) -> None:
    outcomes: list[object] = []

    def clock() -> float:  # called within a publish, as a signal may come there
        if outcomes == ["interrupted"]:
            outcomes.clear()
            try:
                outcomes.append(engine.append_many("a", [Frame(b"handler")], history=sa.History()))
            except BrokerUnavailableError as error:
                outcomes.append(str(error))
        return time.time()

    engine = SQLiteEngine(path, clock)
    engine.append_many("a", [Frame(b"1")], history=sa.History())
    store = engine._opened(1.0)
    append = store.append

    def interrupted(*arguments: Any) -> Any:
        store._connection.execute("BEGIN IMMEDIATE")  # as far as a publish may have come
        outcomes.append("interrupted")
        clock()
        store._connection.execute("COMMIT")
        return append(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "append", interrupted)
        [position] = engine.append_many("a", [Frame(b"2")], history=sa.History())
    assert position.offset == 2
    assert "publish in a thread" in str(outcomes[0])
    engine.close()


def test_exception_of_a_signal_handler_leaves_the_file_unlocked(path: Path) -> None:
    class TimeLimit(Exception):
        pass

    engine = SQLiteEngine(path)
    engine.append_many("a", [Frame(b"1")], history=sa.History())
    store = engine._opened(1.0)

    def interrupted(*_: object) -> Any:
        store._connection.execute("BEGIN IMMEDIATE")  # before its `with` is entered
        raise TimeLimit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "append", interrupted)
        with pytest.raises(TimeLimit):
            engine.append_many("a", [Frame(b"2")], history=sa.History())
    with broker(path, TIMEOUT) as other:
        other.publish("a", "not locked")
    engine.append_many("a", [Frame(b"3")], history=sa.History())
    engine.close()


def test_file_that_is_not_a_database_is_named_in_the_error(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)
    with broker(path) as live, pytest.raises(BrokerUnavailableError, match="not a database"):
        live.publish("a", "x")


def test_tables_of_others_in_the_same_file_are_left_alone(path: Path) -> None:
    names = ("channels", "entries", "keys", "changes", "listeners", "store")
    with closing(sqlite3.connect(path)) as connection:
        for name in names:
            connection.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY AUTOINCREMENT, mine TEXT)")
            connection.execute(f"INSERT INTO {name} (mine) VALUES ('kept')")
        connection.commit()
    with broker(path) as live:
        live.publish("a", 1)
        with listening(live, "a", since="earliest") as heard:
            assert heard.next().data == 1
    with closing(sqlite3.connect(path)) as connection:
        for name in names:
            assert connection.execute(f"SELECT mine FROM {name}").fetchall() == [("kept",)]


def test_link_to_the_file_shares_the_number_of_its_newest_event(path: Path, folder: Path) -> None:
    link = folder / "link.db"
    link.symlink_to(path)
    with broker(path) as live, broker(link) as linked:
        assert linked.publish("a", 1) == live.last_event_id("a")
    assert sorted(name.name for name in folder.glob("*-top")) == ["broker.db-top"]


def test_path_too_long_for_a_socket_is_served_from_the_temporary_folder(path: Path) -> None:
    deep = path.parent / ("d" * 100) / "broker.db"
    deep.parent.mkdir()
    with broker(deep) as live, broker(deep) as other, listening(live, "a") as heard:
        other.publish("a", "x")
        assert heard.next(30).data == "x"
        assert not list(deep.parent.glob(".*"))


def test_without_a_socket_the_file_is_looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_LONGEST", 0)
    with broker(path) as live, broker(path) as other, listening(live, "a") as heard:
        other.publish("a", "x")
        assert heard.next(30).data == "x"
        assert not list(path.parent.glob(".*"))


# processes


LISTENER = """
import sys
import stream_adapter as sa
live = sa.Broker(sys.argv[1])
events = live.subscribe("a", since="earliest")
for event in events:
    print(event.data, flush=True)
"""


def test_address_of_a_listener_that_was_killed_is_removed(path: Path) -> None:
    url = f"sqlite:///{path}"
    with broker(path) as live:
        live.publish("a", "first")
        with subprocess.Popen([sys.executable, "-c", LISTENER, url], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"first\n"
            assert len(addresses(path)) == 1
            assert list(path.parent.glob(f".{path.name}-{process.pid}-*"))
            process.send_signal(signal.SIGKILL)
        live.publish("a", "second")
        assert addresses(path) == []
        assert not list(path.parent.glob(".*"))


def addresses(path: Path) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT address FROM stream_adapter_listeners").fetchall()


def test_closed_broker_leaves_neither_socket_nor_address(path: Path) -> None:
    with broker(path) as live, listening(live, "a") as heard:
        live.publish("a", "1")
        assert heard.next(30).data == "1"
        assert len(addresses(path)) == 1
    assert addresses(path) == []
    assert not list(path.parent.glob(".*"))


def test_listener_thread_goes_on_after_an_error_that_is_not_the_databases(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with broker(path) as live, listening(live, "a") as heard:
        live.publish("a", "1")
        assert heard.next(30).data == "1"
        monkeypatch.setattr("stream_adapter._broker._hub.Hub.received", _fail_once(monkeypatch))
        live.publish("a", "2")
        live.publish("a", "3")
        assert [heard.next(30).data, heard.next(30).data] == ["2", "3"]


def _fail_once(monkeypatch: pytest.MonkeyPatch) -> object:
    def received(*_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError("a fault of the receiver")

    return received


def test_channel_watched_during_a_look_is_read_again(path: Path) -> None:
    """The look has taken the names before, and its mark may have passed what was published since."""
    with broker(path) as live:
        reported: list[str | None] = []
        names: list[str] = []

        class Receiver:
            def changed(self, channel: str | None = None) -> None:
                reported.append(channel)

        def watched() -> list[str]:
            found = list(names)
            names.append("stream:late")
            return found

        live.publish("late", "x")
        store = Store(path, 5.0)
        looking = notices.Listener(lambda: store, path, watched, Receiver)  # type: ignore[arg-type]
        looking._open()  # pyright: ignore[reportPrivateUsage]
        looking._look(is_woken=True)  # pyright: ignore[reportPrivateUsage]
        assert reported == ["stream:late"]
        looking._finish()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the other threads are why this is tested
def test_datagram_socket_is_closed_in_a_child_without_the_parents_address(path: Path) -> None:
    assert hasattr(socket, "AF_UNIX")
    with broker(path) as live, listening(live, "a") as heard:
        live.publish("a", "1")
        assert heard.next(30).data == "1"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                live.close()  # as at the exit of a child that never used it
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert len(addresses(path)) == 1
        live.publish("a", "2")
        assert heard.next(30).data == "2"


def read(engine: SQLiteEngine) -> object:
    return engine.read("a", None, 1)


def watch(engine: SQLiteEngine) -> object:
    engine.watch("a")
    return engine


@pytest.mark.parametrize("ask", [read, watch])
def test_file_that_is_closed_while_a_thread_waits_for_it_is_not_opened_again(
    tmp_path: Path, ask: Callable[[SQLiteEngine], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SQLiteEngine(tmp_path / "a.db")
    engine.positions(["a"])
    checked = threading.Event()
    check_process = engine.check_process

    def noting_check() -> None:
        check_process()
        checked.set()

    monkeypatch.setattr(engine, "check_process", noting_check)
    with ThreadPoolExecutor() as threads:
        with engine._guard:
            asking = threads.submit(ask, engine)
            assert checked.wait(BOUND)
            engine.close()
        with pytest.raises(sa.BrokerUnavailableError, match="closed"):
            asking.result(BOUND)
    assert (engine._store, engine._listener) == (None, None)

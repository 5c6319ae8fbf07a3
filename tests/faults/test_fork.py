"""A fork leaves the threads of the library behind; the child makes its own."""

from __future__ import annotations

import subprocess
import sys

from tests.support import servers
from tests.support.gate import BOUND

from .harness import Host, run

FORK = """
import os, asyncio, signal
import stream_adapter as sa

async def idle():
    yield b"first"
    await asyncio.Event().wait()

def ticking():
    yield b"first"
    yield b"second"

async def finite():
    for number in range(3):
        yield b"%d" % number

streams = [iter(sa.iter_bytes(idle())), iter(sa.iter_bytes(ticking(), limits=sa.Limits(idle_timeout=60)))]
assert [next(stream) for stream in streams]
child = os.fork()
if not child:
    signal.alarm(10)  # a child that hangs is killed, and its status tells
    assert sa.active_stream_count() == 0
    assert b"".join(sa.iter_bytes(finite())) == b"012"
    assert b"".join(sa.iter_bytes(ticking(), limits=sa.Limits(idle_timeout=60))) == b"firstsecond"
    assert sa.drain(5)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert b"".join(sa.iter_bytes(finite())) == b"012"
for stream in streams:
    stream.close()
"""


def test_a_process_forked_while_streams_run_serves_streams_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=BOUND)


def test_a_preloaded_application_streams_async_sources_although_the_master_has() -> None:
    host = Host("gthread", "plain", servers.gunicorn, "preloaded_wsgi:app")
    with run(host, "--preload") as subject:
        for way in ("async", "sync"):
            assert subject.stream("finite", way).read_to_the_end().complete
        subject.probe.wait_all_closed(2)
        assert subject.probe.reasons == {"done": 2}

"""Write the tables of explanation/broker-at-scale.md: what a number of listeners takes in machines and bandwidth.

python docs/scale.py
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

PAGE = Path(__file__).parent / "explanation" / "broker-at-scale.md"
BEGIN, END = "<!-- scale: python docs/scale.py -->", "<!-- end of the scale -->"


@dataclass(frozen=True)
class Measured:
    """Constants of one core, measured on the machine of the benchmarks; µs are CPU time.

    Attributes:
        deliver: µs to send an event to one listener, through uvicorn.
        wake: µs of a keepalive to one listener: taken as a delivery.
        resume: µs of a request that resumes by a cursor, without TLS.
        handshake: µs of a TLS handshake, ECDSA P-256, without resumption: assumed, not measured.
        listener: bytes of an idle listener in the process.
        kernel: bytes of its socket, idle, with TLS's buffers: assumed.
        publish: µs of Redis to publish an event.
        fan_out: µs of Redis for each process that an event is announced to.
        check: µs of Redis to compare the position of one channel, every 30 s and after a failover.
        ask: µs of a web process for the same.
        channel: bytes of Redis of a channel without events.
        event: bytes of Redis of a stored event of 200 bytes.
        overhead: bytes around an event of 200 bytes on its way to a client: fields, chunk, TLS, TCP and IP.
    """

    deliver: float = 47.0
    wake: float = 47.0
    resume: float = 780.0
    handshake: float = 500.0
    listener: int = 15_300
    kernel: int = 40_000
    publish: float = 100.0
    fan_out: float = 7.0
    check: float = 12.0
    ask: float = 22.0
    channel: int = 163
    event: int = 255
    overhead: int = 160


@dataclass(frozen=True)
class Load:
    """What is asked for.

    Attributes:
        name: the row's.
        listeners: open streams.
        channels: that have listeners.
        listened: channels of one listener.
        events: published per second and channel.
        size: bytes of an event.
        history: events that are stored of an active channel.
    """

    name: str
    listeners: int
    channels: int
    listened: int = 1
    events: float = 0.01
    size: int = 200
    history: int = 20


@dataclass(frozen=True)
class Plan:
    """How it is served.

    Attributes:
        cores: of a web machine; one process each.
        memory: bytes of a web machine that listeners may take.
        most: listeners of one process, as far as was measured.
        busy: the share of a core that is planned for; the rest is for bursts.
        retry: seconds; a listener comes back after one to two times as many, so this is what a storm is spread over.
        keepalive: seconds between two to a silent listener.
    """

    cores: int = 16
    memory: int = 48 << 30
    most: int = 10_000
    busy: float = 0.5
    retry: float = 10.0
    keepalive: float = 15.0


MEASURED = Measured()
PLAN = Plan()
LOADS = [
    Load("100,000 users, a channel each", 100_000, 100_000),
    Load("a million users, a channel each", 1_000_000, 1_000_000),
    Load("a million in 10,000 rooms, an event each 10 s", 1_000_000, 10_000, events=0.1),
    Load("a million on one channel, an event per second", 1_000_000, 1, events=1.0),
]


@dataclass(frozen=True)
class Result:
    """What one load takes."""

    machines: int
    processes: int
    per_process: float
    megabits: float
    longest: float
    announcements: float
    redis_cores: float
    shards: int
    gigabytes: float
    rolling: float
    at_once: float
    failover: float


def reached(load: Load, processes: int) -> float:
    """Return how many processes, on average, have a listener of one channel: each is an announcement per event."""
    per_channel = load.listeners * load.listened / load.channels
    missed = math.pow(1 - 1 / processes, per_channel)
    return processes * (1 - missed)


def machines_of(load: Load, measured: Measured, by: Plan) -> int:
    """Return how many machines carry the load while one of them is restarted, and its listeners come back."""
    deliveries = load.listeners * load.listened * load.events
    keepalives = max(0.0, load.listeners / by.keepalive - deliveries)
    steady = (deliveries * measured.deliver + keepalives * measured.wake) / 1e6
    machines = 2
    while True:
        left = (machines - 1) * by.cores
        checks = load.channels * reached(load, left) / 30 * measured.ask / 1e6
        storm = load.listeners / machines / by.retry * (measured.resume + measured.handshake) / 1e6
        fits = (
            steady + checks + storm <= left * by.busy
            and load.listeners <= left * by.most
            and load.listeners * (measured.listener + measured.kernel) <= (machines - 1) * by.memory
        )
        if fits:
            return machines
        machines += 1


def plan(load: Load, measured: Measured = MEASURED, by: Plan = PLAN) -> Result:
    """Return what serves a load."""
    machines = machines_of(load, measured, by)
    processes = machines * by.cores
    deliveries = load.listeners * load.listened * load.events
    keepalives = max(0.0, load.listeners / by.keepalive - deliveries)
    on_wire = deliveries * (load.size + measured.overhead) + keepalives * (measured.overhead - 80)
    published = load.channels * load.events
    watched = load.channels * reached(load, processes)  # pairs of a process and one of its channels
    announcements = published * reached(load, processes)
    redis = (published * measured.publish + announcements * measured.fan_out + watched / 30 * measured.check) / 1e6
    shards = max(1, math.ceil(redis / by.busy))
    active = load.channels * min(1.0, load.events * 300)
    stored = load.channels * measured.channel + active * load.history * (measured.event + load.size - 200)
    resume = (measured.resume + measured.handshake) / 1e6
    return Result(
        machines=machines,
        processes=processes,
        per_process=load.listeners / processes,
        megabits=on_wire * 8 / 1e6 / machines,
        longest=load.listeners / processes * measured.deliver / 1e6,
        announcements=announcements,
        redis_cores=redis,
        shards=shards,
        gigabytes=stored / 1e9,
        rolling=load.listeners / machines / by.retry * resume,
        at_once=load.listeners / by.retry * resume,
        failover=watched * measured.check / 1e6 / shards,
    )


def number(value: float) -> str:
    """Return a number with two significant digits, or whole."""
    if value >= 100:
        return f"{round(value, 1 - math.floor(math.log10(value))):,.0f}"
    return f"{value:.2g}" if value >= 0.01 else "< 0.01"


def tables() -> str:
    """Return the tables of constants and of results."""
    documented = re.findall(r"^    (\w+): (.*)$", cleandoc(Measured.__doc__ or ""), re.MULTILINE)
    lines = ["| constant | value | |", "|---|---:|---|"]
    lines += [f"| `{name}` | {number(getattr(MEASURED, name))} | {text} |" for name, text in documented]
    results = [plan(load) for load in LOADS]
    rows = [
        ("web machines of 16 cores, one to spare", [number(it.machines) for it in results]),
        ("processes = connections that subscribe", [number(it.processes) for it in results]),
        ("listeners per process", [number(it.per_process) for it in results]),
        ("Mbit/s per web machine", [number(it.megabits) for it in results]),
        ("one event to all listeners of a process, s of a core", [number(it.longest) for it in results]),
        ("announcements per second, all shards", [number(it.announcements) for it in results]),
        ("cores of Redis in use", [number(it.redis_cores) for it in results]),
        ("shards, half busy", [number(it.shards) for it in results]),
        ("GB of Redis", [number(it.gigabytes) for it in results]),
        ("restart of one machine: cores in use for resumes", [number(it.rolling) for it in results]),
        ("restart of all at once: cores in use for resumes", [number(it.at_once) for it in results]),
        ("failover: seconds of a shard to compare positions", [number(it.failover) for it in results]),
    ]
    lines += ["", f"| | {' | '.join(load.name for load in LOADS)} |", f"|---|{'---:|' * len(LOADS)}"]
    lines += [f"| {title} | {' | '.join(cells)} |" for title, cells in rows]
    return "\n".join(lines)


def page() -> str:
    """Return the page with its tables as they are computed now."""
    block = f"{BEGIN}\n\n{tables()}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, PAGE.read_text(), flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page())

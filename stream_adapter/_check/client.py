"""The HTTP client: requests out, probes back. All I/O is here, and the only use of the HTTP library.

The server is not trusted. A request is limited in time and in bytes of its body. Redirects are followed here, because
the library would read their bodies whole. Any error that the library raises for a response becomes the probe's error.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from importlib import import_module
from urllib.parse import urljoin

import httpx2

from .finding import shown
from .probe import Probe, Recorder

__all__ = ["Client", "check_url"]

_MOST_REDIRECTS = 10
_MOST_LOCATION = 8192  # characters
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOCATION = "stream_adapter.location"  # the extension of a response in which the field is kept
_GRACE = 2.0  # seconds that it may take to close connections


class Client:
    """Send requests to one endpoint.

    Args:
        own: the user's headers, such as a cookie. They are sent to the origin of the first URL only.
        verify: whether to verify the certificate.
    """

    def __init__(self, own: Mapping[str, str], *, verify: bool) -> None:
        self._own = own
        self._tls = httpx2.create_ssl_context(verify=verify)  # once, because it reads all certificate authorities

    @staticmethod
    async def warm_up() -> None:
        """Import what the library imports at its first request, so that the time is not counted as the server's."""
        import_module("h2.connection")
        await import_module("anyio").sleep(0)

    async def ask(self, method: str, url: str, headers: Mapping[str, str], *, seconds: float) -> Probe:
        """Send one request over a new connection, and read the response.

        Args:
            method: GET or HEAD.
            url: the endpoint.
            headers: of the request, in addition to the user's.
            seconds: how long to listen, at most.
        """
        probe = Probe(method, headers)
        async with self.connections() as client:
            await self.ask_over(client, probe, url, seconds=seconds)
        return probe

    @contextlib.asynccontextmanager
    async def connections(self) -> AsyncGenerator[httpx2.AsyncClient]:
        """Hold connections that several requests share."""
        hooks = {"response": [_take_location]}
        client = httpx2.AsyncClient(timeout=None, verify=self._tls, http2=True, event_hooks=hooks)
        try:
            yield client
        finally:
            with contextlib.suppress(Exception):  # the probes are complete; an error of closing is irrelevant
                async with asyncio.timeout(_GRACE):
                    await client.aclose()

    async def ask_over(
        self,
        client: httpx2.AsyncClient,
        probe: Probe,
        url: str,
        *,
        seconds: float,
        began: asyncio.Event | None = None,
    ) -> None:
        """Send one request and fill its probe.

        Args:
            client: of `connections`.
            probe: with the method and the headers; filled as the response comes.
            url: the endpoint.
            seconds: how long to listen, at most.
            began: set once the first byte of the body has come, or its end.
        """
        listener = _Listener(probe, seconds, began or asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await self._follow(client, url, listener)
        except TimeoutError:
            pass  # still open: the probe has what came so far
        except httpx2.HTTPError as error:
            probe.error = shown(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, 200)
        except Exception as error:  # noqa: BLE001  # the response broke the library: that is the server's fault, too
            probe.error = shown(f"the response cannot be read ({type(error).__name__}: {error})", 200)
        finally:
            listener.stop()

    async def _follow(self, client: httpx2.AsyncClient, url: str, listener: _Listener) -> None:
        first, probe = url, listener.probe
        while True:
            own = self._own if _origin(url) == _origin(first) else dict[str, str]()
            fields = [(name.encode(), value.encode()) for name, value in {**probe.sent, **own}.items()]
            async with client.stream(probe.method, url, headers=fields) as response:
                listener.begin(response)
                location: str | None = response.extensions.get(_LOCATION)
                if probe.status not in _REDIRECTS or location is None:
                    await listener.listen(response)
                    return
            try:
                url = _target(url, location, len(probe.redirects))
            except ValueError as error:
                probe.misdirected = str(error)
                return
            probe.redirects.append(url)


class _Listener:
    """Fills a probe, until its time is over or enough bytes have arrived."""

    def __init__(self, probe: Probe, seconds: float, began: asyncio.Event) -> None:
        self.probe = probe
        self._seconds = seconds
        self._began = began
        self._recorder = Recorder()
        probe.begun_at = time.monotonic()

    def begin(self, response: httpx2.Response) -> None:
        """Record the status and the headers."""
        probe = self.probe
        probe.headers_at = self._now()
        probe.status, probe.version = response.status_code, response.http_version
        probe.headers = dict(response.headers)

    async def listen(self, response: httpx2.Response) -> None:
        """Read the body."""
        async for data in response.aiter_raw():
            now = self._now()
            if data:
                self._began.set()
            if (
                not self._recorder.add(now, data) or now > self._seconds
            ):  # the timeout does not fire in a loop that never waits
                return
        self.probe.ended_at = self._now()

    def stop(self) -> None:
        """Record the reads."""
        self.probe.reads = self._recorder.reads()
        self._began.set()

    def _now(self) -> float:
        return time.monotonic() - self.probe.begun_at


async def _take_location(response: httpx2.Response) -> None:
    """Hide a redirect from the library, which builds the next request even with redirects off."""
    if "location" in response.headers:
        response.extensions[_LOCATION] = response.headers.pop("location")


def check_url(text: str) -> str:
    """Return the URL if a request can be sent to it.

    Raises:
        ValueError: no request can be sent; the message says why.
    """
    try:
        url = httpx2.URL(text)
        scheme, host, port = url.scheme, url.host, url.port
        url.raw_host.decode("idna")  # raises for invalid Punycode
    except (httpx2.InvalidURL, ValueError) as error:  # ValueError: IDNA refuses the host
        raise ValueError(f"{shown(text)!r} is not a URL: {shown(error)}") from None
    if port is not None and not 0 < port <= 65535:
        raise ValueError(f"expected a port from 1 to 65535, got {port}")
    if scheme not in {"http", "https"} or not host:
        raise ValueError(f"expected http://… or https://…, got {shown(text)!r}")
    return text


def _target(url: str, location: str, before: int) -> str:
    """Return the URL of the next request, after `before` redirects.

    Raises:
        ValueError: the redirect cannot be followed; the message says why.
    """
    if before == _MOST_REDIRECTS:
        raise ValueError(f"there are more than {_MOST_REDIRECTS} redirects")
    if len(location) > _MOST_LOCATION:
        raise ValueError(f"Location has {len(location)} characters, more than {_MOST_LOCATION}")
    try:
        return check_url(urljoin(url, location))
    except ValueError as error:
        raise ValueError(f"Location: {error}") from None


def _origin(url: str) -> tuple[str, str, int | None]:
    parsed = httpx2.URL(url)
    return parsed.scheme, parsed.host, parsed.port

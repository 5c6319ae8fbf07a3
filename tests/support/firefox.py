"""Firefox, by the protocol that it speaks itself (WebDriver BiDi): Debian has no geckodriver for Selenium."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket
from selenium.common.exceptions import JavascriptException

from tests.support.gate import BOUND
from tests.support.programs import FIREFOX

__all__ = ["Firefox", "firefox"]

_LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_CALL = """async function(...given) {
    return JSON.stringify(await (function() { %s }).apply(window, given.map(JSON.parse)))
}"""


class Firefox:
    """What a `Page` asks of a browser, under Selenium's names.

    Args:
        address: of the browser's WebSocket.
    """

    def __init__(self, address: str) -> None:
        self._socket: Any = websocket.create_connection(f"{address}/session", timeout=BOUND, suppress_origin=True)
        self._numbers = itertools.count(1)
        self._command("session.new", capabilities={})
        self.current_window_handle: str = self._command("browsingContext.getTree")["contexts"][0]["context"]
        self.switch_to = self

    def get(self, url: str) -> None:
        """Go to a page, and do not wait for it."""
        self._here("browsingContext.navigate", url=url, wait="none")

    def execute_script(self, script: str, *arguments: object) -> Any:
        """Return what a script returns, or its promise, as JSON has it."""
        answer = self._here(
            "script.callFunction",
            functionDeclaration=_CALL % script,
            awaitPromise=True,
            arguments=[{"type": "string", "value": json.dumps(argument)} for argument in arguments],
        )
        if answer["type"] == "exception":
            raise JavascriptException(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))  # JSON has no undefined

    def refresh(self) -> None:
        """Load the page once more."""
        self._here("browsingContext.reload", wait="none")

    def new_window(self, kind: str) -> None:
        """Open a tab, and switch to it."""
        self.current_window_handle = self._command("browsingContext.create", type=kind)["context"]

    def window(self, handle: str) -> None:
        """Switch to a tab."""
        self.current_window_handle = handle

    def close(self) -> None:
        """Close the tab."""
        self._here("browsingContext.close")

    def save_screenshot(self, path: str) -> None:
        """Save what is seen, as PNG."""
        Path(path).write_bytes(base64.b64decode(self._here("browsingContext.captureScreenshot")["data"]))

    def quit(self) -> None:
        """End the session."""
        self._socket.close()

    def _here(self, method: str, **parameters: object) -> Any:
        of = {"context": self.current_window_handle}
        return self._command(method, **({"target": of} if method.startswith("script.") else of), **parameters)

    def _command(self, method: str, **parameters: object) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            pass  # an event
        if answer["type"] == "error":  # such as a page that is left while its script is run
            raise JavascriptException(f"{answer['error']}: {answer['message']}")
        return answer["result"]


@contextmanager
def firefox(profile: Path) -> Generator[Firefox]:
    """Start Firefox.

    Args:
        profile: an empty folder, for what it stores.
    """
    command = [FIREFOX.path, "--headless", "--no-remote", f"--profile={profile}", "--remote-debugging-port=0"]
    log = profile / "log"
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            browser = Firefox(_address(log, process))
            try:
                yield browser
            finally:
                browser.quit()
        finally:
            process.terminate()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait for the line that names the address."""
    with log.open() as lines:
        while process.poll() is None:
            if found := _LISTENS.search(lines.readline()):
                return found[1]
    raise AssertionError(f"firefox has ended: {log.read_text()}")

"""Job queues: a Celery application without a server, and a worker as a process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.gate import BOUND
from tests.support.servers import ROOT

__all__ = ["celery_in", "working"]


def celery_in(folder: str) -> Any:
    """Return a Celery application whose messages are files in a folder. It has no types."""
    from celery import Celery  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  # where the package is

    app: Any = Celery("tasks", broker="filesystem://")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": folder,
            "data_folder_out": folder,
            "control_folder": f"{folder}/control",
        },
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )
    return app


@contextmanager
def working(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Generator[None]:
    """Run a worker, and stop it by SIGTERM in the end.

    Raises:
        TimeoutExpired: it did not stop, and was killed.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=ROOT, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(BOUND)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

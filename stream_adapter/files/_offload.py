"""Offload to a front server (nginx, Apache, lighttpd), which sends the file that a header names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from stream_adapter.errors import NotFoundError

__all__ = ["Offload", "XAccelRedirect", "XSendfile"]


class Offload(Protocol):
    """How a response names the file that a front server sends."""

    def header(self, path: str) -> tuple[str, str]:
        """Return the field that names a file.

        Args:
            path: absolute and without symbolic links: as the file was opened and checked. Do not look
                it up again: it could lead to another file by now.
        """
        ...


@dataclass(frozen=True, slots=True)
class XAccelRedirect:
    """nginx: an internal location, in which the files below a directory are.

    Args:
        location: its URL path, such as "/protected/".
        root: the directory that its `alias` names.
    """

    location: str
    root: str | os.PathLike[str]

    def header(self, path: str) -> tuple[str, str]:
        """Return the field.

        Raises:
            NotFoundError: the file is not below the directory, so nginx has no name for it.
        """
        root = os.path.realpath(self.root)
        if os.path.commonpath([root, path]) != root:
            raise NotFoundError(f"offload: the file is not below the root to which {self.location!r} leads")
        return "X-Accel-Redirect", f"{self.location.rstrip('/')}/{quote(os.fsencode(os.path.relpath(path, root)))}"


@dataclass(frozen=True, slots=True)
class XSendfile:
    """Apache's mod_xsendfile, lighttpd, Caddy: the file's own path.

    Args:
        name: the field.
    """

    name: str = "X-Sendfile"

    def header(self, path: str) -> tuple[str, str]:
        """Return the field; a path that no field can hold is percent-encoded, as mod_xsendfile reads it."""
        return self.name, quote(os.fsencode(path))

"""The arguments of `file`: validation, and the media type of a name."""

from __future__ import annotations

import mimetypes
import os
import re
from typing import Any, TypeAlias

from stream_adapter.errors import SourceError

__all__ = ["SUFFIXES", "Path", "check_offload", "directory_of", "guess_media_type", "name_of", "path_of"]

Path: TypeAlias = str | os.PathLike[str]

SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""Content coding → what the name of a file ends with that was compressed beforehand."""

_OCTETS = "application/octet-stream"
_EXTENSION = re.compile(r"\.[0-9A-Za-z+_-]{1,32}")
_MEDIA_TYPE = re.compile(r"[0-9A-Za-z.+_-]+/[0-9A-Za-z.+_-]+")  # the system's own table may hold anything
_ARCHIVES = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def path_of(file: Any) -> str | None:
    """Return a path as text; None for anything else.

    Raises:
        SourceError: it is a path in bytes.
    """
    if not (isinstance(file, str) or hasattr(file, "__fspath__")):
        return None
    path = os.fspath(file)
    if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # a path may be of bytes
        raise SourceError(f"file: expected a path as text, got {type(path).__name__}; os.fsdecode makes it text")
    return path


def directory_of(root: Path) -> str:
    """Return a root as text.

    Raises:
        TypeError: it is not a path.
        ValueError: it is empty, which would be the working directory, whatever that is.
    """
    path = path_of(root)
    if path is None:
        raise TypeError(f"root: expected the path of a directory, got {type(root).__name__}")
    if not path:
        raise ValueError(f"root: expected the path of a directory, got {path!r}")
    return path


def check_offload(offload: object, *, precompressed: bool) -> None:
    """Refuse an `offload` that no front server understands.

    Raises:
        TypeError: it makes no header.
        ValueError: a sibling would be sent as if it were the file itself.
    """
    if not hasattr(offload, "header"):
        raise TypeError(f"offload: expected XAccelRedirect or XSendfile, got {type(offload).__name__}")
    if precompressed:
        raise ValueError(
            "precompressed: a front server drops the Content-Encoding that came with the file's name; leave the choice"
            " to it, by nginx's gzip_static or its like"
        )


def name_of(file: Any) -> str:
    """Return the name that a file object has; it may be a number, or nothing."""
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else ""


def guess_media_type(name: str) -> str:
    """Guess by the last extension of a name, which may come from a user; unknown is octet-stream.

    Nothing but the extension is looked at: `mimetypes` takes its argument for a URL, and of `data:text/html,a.png` it
    believes the scheme. What is compressed is sent as that, for nothing is to unpack it on the way.
    """
    extension = os.path.splitext(name)[1]
    if not _EXTENSION.fullmatch(extension):
        return _OCTETS
    media_type, coding = mimetypes.guess_type(f"x{extension}", strict=False)
    if coding is not None:
        return _ARCHIVES.get(coding, _OCTETS)
    return media_type if media_type is not None and _MEDIA_TYPE.fullmatch(media_type) else _OCTETS

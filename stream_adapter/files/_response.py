"""A file as a response, with the semantics of a file server, after the application's own checks.

`resolve` opens the file, looks at it, and answers the request by what it saw; what was seen is what is sent. To open
and to look is I/O, and a path on a network may block, so on an event loop a thread of files does that (`aresolve`), and
reads a file of one block there too. Of larger ones such a thread reads a block at a time, ahead of the socket.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Self, Unpack

from stream_adapter._accept import acceptable_codings
from stream_adapter._default_headers import completed_head
from stream_adapter._disposition import content_disposition, text_of_filename
from stream_adapter._headers import (
    field_values,
    without_fields,
    without_hop_by_hop,
)
from stream_adapter._keywords import ResponseKeywords, shows_options
from stream_adapter._limits import Limits
from stream_adapter._options import ResponseOptions
from stream_adapter._pump import in_file_thread, in_thread, run, running_loop, submit_to_file_thread
from stream_adapter._request import RequestHead
from stream_adapter._resolved import Flow, Resolved, Submit
from stream_adapter._response import Response
from stream_adapter._source import Source
from stream_adapter.errors import NotFoundError
from stream_adapter.formats._base import ChunkFormat

from ._answer import Answer, Headers, answer
from ._arguments import SUFFIXES, Path, check_offload, directory_of, guess_media_type, name_of, path_of
from ._body import BLOCK, AsyncFileBody, FileBody, everything
from ._conditions import check_etag, encoded_etag, make_etag, make_last_modified
from ._handles import (
    AsyncHandle,
    DescriptorHandle,
    Handle,
    aopen_object,
    check_object,
    is_async,
    is_file_on_disk,
    open_object,
)
from ._offload import Offload
from ._opening import OpenedPath, not_found, open_below, open_path, open_resolved, shown_path

__all__ = ["FileResponse", "file"]

_ANY_REQUEST = RequestHead()
_BYTES = ChunkFormat()
_READ_AHEAD = Limits(high_water=4 * BLOCK)  # read while as much is sent, so that neither waits each time


class FileResponse(Response):
    """Send a file: whole, or the ranges asked for, or nothing to a client that has it.

    A file that does not exist is answered 404 when the response is served.

    Args:
        file: a path; or a binary file object, sync or async, which is sent from where it stands, and closed.
        root: a directory. The path is a user's then: relative, and nothing outside `root` is sent.
        filename: the name under which it is saved; it is also what the media type is guessed from.
        disposition: "attachment" to save it, which is what a `filename` means, or "inline" to show it.
        precompressed: send the sibling that ends in `.br`, `.zst` or `.gz` to a client that reads it.
        offload: a front server sends it: `XAccelRedirect` or `XSendfile`, of `stream_adapter.files`.
        **options: those of Response. An ETag or a Last-Modified in `headers` is what conditions are held against. The
            chunk that `on_error` returns is not sent: it is not a part of the file.

    Raises:
        SourceError: it is neither a path nor a binary file object.
        TypeError: an option is unknown, of the wrong type, or does not go with what is sent.
        ValueError: an option has a value that is not allowed.
    """

    @shows_options("format")
    def __init__(
        self,
        file: Path | Any,
        *,
        root: Path | None = None,
        filename: str | None = None,
        disposition: str | None = None,
        precompressed: bool = False,
        offload: Offload | None = None,
        **options: Unpack[ResponseKeywords],
    ) -> None:
        for name in {"format", "description"} & options.keys():
            raise TypeError(f"file: a file is sent as it is; {name} is not an option of it")
        self._path = path_of(file)
        self._root = None if root is None else directory_of(root)
        if offload is not None:
            check_offload(offload, precompressed=precompressed)
        if filename is not None:
            filename = text_of_filename(filename)
        if self._path is None:
            check_object(file)
            for name, value in {"root": root, "precompressed": precompressed, "offload": offload}.items():
                if value:
                    raise TypeError(f"file: {name} is for paths, and this is a file object, {type(file).__name__}")
        name = filename or os.path.basename(name_of(file) if self._path is None else self._path)
        if options.get("media_type") is None:
            options["media_type"] = guess_media_type(name)
        super().__init__(file if self._path is None else None, **options)
        self._check_tags()
        self._precompressed = precompressed
        self._offload = offload
        if disposition is None and filename is not None:
            disposition = "attachment"
        self._disposition = None if disposition is None else content_disposition(disposition, name)

    def _with_options(self, options: ResponseOptions) -> Self:
        response = super()._with_options(options)
        response._check_tags()  # noqa: SLF001  # our own class
        return response

    def _check_tags(self) -> None:
        for etag in field_values(self._options.headers, "etag"):
            check_etag(etag)

    def resolve(self, head: RequestHead = _ANY_REQUEST, *, text_media_type: str = "text/plain") -> Resolved:
        """Open the file and return what is sent for one request. It blocks as long as the file system does.

        Raises:
            NotFoundError: the file does not exist, or may not be sent.
            StreamConsumedError: it is a file object, and was sent already.
        """
        del text_media_type
        if self._path is not None:
            return self._answered(head, *self._open(head, self._path))
        content = self._source.take().content
        return self._answered(head, run(aopen_object(content)) if is_async(content) else open_object(content))

    async def aresolve(self, head: RequestHead = _ANY_REQUEST, *, text_media_type: str = "text/plain") -> Resolved:
        """Return the same without blocking the event loop."""
        running_loop()
        resolve = partial(self.resolve, head, text_media_type=text_media_type)
        content = self._source.content
        if self._path is not None or is_file_on_disk(content):
            return await in_file_thread(resolve, _close_unsent)
        if is_async(content):
            return self._answered(head, await aopen_object(self._source.take().content))
        if type(content) is io.BytesIO:  # a subclass may do anything to read
            return resolve()
        return await in_thread(resolve, _close_unsent)

    def _open(self, head: RequestHead, path: str) -> tuple[OpenedPath, str | None]:
        """Open a path, or its sibling in a content coding, which is returned too."""
        open_it: Callable[[str], OpenedPath] = open_path
        if self._root is not None:
            open_it = partial(open_below, self._root)
        elif self._offload is not None:
            open_it = open_resolved
        handle = open_it(path)
        if self._precompressed:
            with ExitStack() as undo:
                undo.callback(handle.close)
                for coding in acceptable_codings(head.headers.get("accept-encoding")):
                    with suppress(NotFoundError):
                        return open_it(path + SUFFIXES[coding]), coding
                undo.pop_all()
        return handle, None

    def _answered(self, head: RequestHead, handle: Handle | AsyncHandle, coding: str | None = None) -> Resolved:
        try:
            headers = self._headers_of(handle, coding)
            if self._offload is not None and self._path is not None:
                # the front server says itself whether it sends ranges
                offloaded = without_fields(headers, {"accept-ranges"})
                offloaded.append(self._offloaded_by(self._offload, self._path, handle))
                return self._resolved(head, handle, Answer(self.status_code, offloaded, []))
            return self._resolved(head, handle, answer(head, self.status_code, headers, handle.size))
        except BaseException:
            if not isinstance(handle, AsyncHandle):
                handle.close()
            raise

    @staticmethod
    def _offloaded_by(offload: Offload, path: str, handle: Handle | AsyncHandle) -> tuple[str, str]:
        """Return the field that names the file by the way on which it was opened."""
        way = handle.way if isinstance(handle, DescriptorHandle) else None
        try:
            if way is not None:
                return offload.header(way)
            reason = "not a file of the disk"
        except NotFoundError as error:
            reason = str(error)
        raise not_found(path, reason)

    def _headers_of(self, handle: Handle | AsyncHandle, coding: str | None) -> Headers:
        """Return the headers of the whole file; the user's own come first."""
        headers = without_fields(without_hop_by_hop(self.headers), {"content-length"})
        defaults: dict[str, str] = {}
        if handle.size is not None:
            defaults["Accept-Ranges"] = "bytes"
            if handle.modified_ns is not None and handle.changed_ns is not None:
                defaults["ETag"] = make_etag(handle.modified_ns, handle.changed_ns, handle.size)
                defaults["Last-Modified"] = make_last_modified(handle.modified_ns, time.time())
        if self._disposition is not None:
            defaults["Content-Disposition"] = self._disposition
        if self._precompressed:
            defaults["Vary"] = "Accept-Encoding"
        headers = completed_head(headers, str(self.media_type), self.charset, defaults.items())
        if coding is not None:
            headers = [
                (name, encoded_etag(value, coding) if name.lower() == "etag" else value) for name, value in headers
            ]
            headers.append(("Content-Encoding", coding))
        return headers

    def _resolved(self, head: RequestHead, handle: Handle | AsyncHandle, reply: Answer) -> Resolved:
        segments = everything(handle.size) if reply.segments is None else reply.segments
        flow = self._flow(submit_to_file_thread if isinstance(handle, DescriptorHandle) else None)
        if isinstance(handle, AsyncHandle):
            bodiless = not segments or head.method == "HEAD"
            source = Source(AsyncFileBody(handle, segments))
            return Resolved(reply.status, reply.headers, source, flow, b"" if bodiless else None, request=head)
        sent = [] if head.method == "HEAD" else segments
        body = FileBody(handle, sent)
        if body.length <= BLOCK:
            whole = b"".join(body)
            body.close()
            return Resolved(reply.status, reply.headers, Source(None), flow, whole, request=head)
        file = self._file_for_server(handle) if reply.segments is None else None
        return Resolved(reply.status, reply.headers, Source(body), flow, None, file, head)

    def _file_for_server(self, handle: Handle) -> DescriptorHandle | None:
        """Return the file if a server may send the whole of it by itself: no callback and no deadline watches it."""
        watched = (self.on_close, self.on_error, self.limits.idle_timeout, self.limits.total_timeout)
        if isinstance(handle, DescriptorHandle) and handle.is_whole and watched == (None, None, None, None):
            return handle
        return None

    def _flow(self, submit: Submit | None) -> Flow:
        on_error = self.on_error
        return Flow(
            encoder=_BYTES.encoder(strict=True, charset="utf-8"),
            limits=self.limits if "limits" in self._options.given else _READ_AHEAD,
            flush="item" if self.flush == "auto" else self.flush,  # blocks are large enough, and joining copies
            commit_after=self.commit_after,
            on_error=None if on_error is None else partial(_tell, on_error),
            on_close=self.on_close,
            submit=submit,
        )

    def __repr__(self) -> str:
        of = type(self._source.content).__name__ if self._path is None else shown_path(self._path)
        return f"<FileResponse {self.status_code} of {of}>"


def _tell(on_error: Callable[[BaseException], object], error: BaseException) -> None:
    """Call `on_error`, and drop what it returns: that is not a part of the file."""
    on_error(error)


def _close_unsent(resolved: Resolved) -> None:
    """Close what was opened for a request that was cancelled."""
    resolved.source.close(run)


file = FileResponse
"""The shortcut by the name of the others: `file("report.pdf")` is a FileResponse."""

"""What Django REST framework needs to be set to, so that its views stream to every client.

::

    REST_FRAMEWORK = {"DEFAULT_CONTENT_NEGOTIATION_CLASS": "stream_adapter_django.drf.StreamNegotiation"}

It is the one module here that imports that framework.
"""

# The framework has no types.
# pyright: basic

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation

from stream_adapter import formats

from ._requests import note_request

__all__ = ["StreamNegotiation"]

_STREAMS = frozenset(
    format.media_type for format in (formats.SSE, formats.NDJSON, formats.JSONSeq, formats.CSV, formats.Text)
) | {"application/jsonl"}


class StreamNegotiation(DefaultContentNegotiation):  # type: ignore[misc]  # untyped
    """The framework's negotiation, which leaves the format of a stream to the stream.

    The framework answers 406 where no renderer has what a client accepts, before the view is called: to every
    `EventSource`, for one. Here such a client, if it accepts the format of a stream, gets to the view. Errors are then
    rendered by the view's first renderer.

    It also notes the request, so that `stream_response` knows it, and the view's exception handler, without `request=`.
    """

    def select_renderer(self, request: Any, renderers: list[Any], format_suffix: str | None = None) -> Any:
        """Return the renderer and the media type of what is not a stream."""
        note_request(request)
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            accepted = {token.partition(";")[0].strip().lower() for token in self.get_accept_list(request)}
            if _STREAMS.isdisjoint(accepted):
                raise
            return renderers[0], renderers[0].media_type

r"""How items become a body: one class per format, and their base class.

Write your own by subclassing `Format`:

    class Lines(Format):
        media_type = "text/plain"

        def encode(self, item):
            return f"{item}\n".encode()
"""

from ._base import Format
from .auto import Auto
from .csv import CSV
from .json import NDJSON, JSONArray, JSONSeq
from .raw import Raw
from .sse import SSE, ServerSentEvent
from .text import HTML, Text

__all__ = ["CSV", "HTML", "NDJSON", "SSE", "Auto", "Format", "JSONArray", "JSONSeq", "Raw", "ServerSentEvent", "Text"]

"""Content-Disposition: the name under which a file is saved (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from werkzeug.http import dump_options_header

from ._text import as_text

__all__ = ["content_disposition", "text_of_filename"]

# What no file system takes in a name, or what would be shown as another name: separators, controls, lone surrogates,
# line and paragraph separators, and the marks that turn the direction of writing
_UNSAFE = re.compile("[/\\\\\0-\x1f\x7f-\x9f\u061c\u200e\u200f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")
# RFC 6266, appendix D: quotes are unescaped by some recipients only, and some decode what looks percent-encoded
_AMBIGUOUS = re.compile(r'["/\\]|%(?=[0-9A-Fa-f]{2})|[^ -~]')
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1, in addition to letters and digits


def text_of_filename(filename: object) -> str:
    """Return the name of a file as text; that of a class which is text by all but its class is looked up now.

    Raises:
        TypeError: it is not text.
    """
    name = as_text(filename)
    if not isinstance(name, str):
        raise TypeError(f"filename: expected text such as 'report.csv', got {type(filename).__name__}")
    return name


def content_disposition(disposition: str, filename: str) -> str:
    """Return the value of a Content-Disposition that names a file (RFC 6266, RFC 8187).

    A name that plain ASCII cannot hold unambiguously is given twice: as an approximation, and exactly in `filename*`.

    Args:
        disposition: "attachment" or "inline".
        filename: any text; characters that are unsafe in a file's name become `_`, and an empty name "download".

    Raises:
        ValueError: `disposition` is neither.
        TypeError: `filename` is not text.
    """
    if disposition not in {"attachment", "inline"}:
        raise ValueError(f"disposition: expected 'attachment' or 'inline', got {disposition!r}")
    name = _name_or_default(_UNSAFE.sub("_", text_of_filename(filename)))
    letters = (letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    approximation = _name_or_default(_AMBIGUOUS.sub("_", "".join(letters)))  # now "℀" is "a/c"
    exact = None if approximation == name else f"UTF-8''{quote(name, safe=_ATTR_CHAR)}"
    return dump_options_header(disposition, {"filename": approximation, "filename*": exact})


def _name_or_default(name: str) -> str:
    return name if name.strip(" .") else "download"  # "", "." and ".." name no file

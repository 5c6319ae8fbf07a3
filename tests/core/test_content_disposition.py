"""Content-Disposition (RFC 6266, RFC 8187): any file name is safe, and arrives as exactly as it can."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from stream_adapter._disposition import content_disposition

FILENAMES: list[tuple[str, str]] = [
    ("report.csv", "filename=report.csv"),
    ("my report.csv", 'filename="my report.csv"'),
    ("a;b=c.csv", 'filename="a;b=c.csv"'),
    ("100%.csv", "filename=100%.csv"),
    ("a%41.csv", "filename=a_41.csv; filename*=UTF-8''a%2541.csv"),
    ('say "hi".csv', "filename=\"say _hi_.csv\"; filename*=UTF-8''say%20%22hi%22.csv"),
    ("it's.csv", "filename=it's.csv"),
    ("Zürich é.csv", "filename=\"Zurich e.csv\"; filename*=UTF-8''Z%C3%BCrich%20%C3%A9.csv"),
    ("日本.csv", "filename=__.csv; filename*=UTF-8''%E6%97%A5%E6%9C%AC.csv"),
    ("\U0001f600.csv", "filename=_.csv; filename*=UTF-8''%F0%9F%98%80.csv"),
    ("½.csv", "filename=1_2.csv; filename*=UTF-8''%C2%BD.csv"),
    ("../../etc/passwd", "filename=.._.._etc_passwd"),
    ("C:\\temp\\a.csv", 'filename="C:_temp_a.csv"'),
    ("a\r\nSet-Cookie: b=1", 'filename="a__Set-Cookie: b=1"'),
    ("a\0\x1b\x7f\x85.csv", "filename=a____.csv"),
    ("a\u2028b\u202egpj.exe", "filename=a_b_gpj.exe"),
    ("\udce9.csv", "filename=_.csv"),
    ("\u2100.csv", "filename=a_c.csv; filename*=UTF-8''%E2%84%80.csv"),  # it decomposes to "a/c"
    ("\uff0e\uff0e", "filename=download; filename*=UTF-8''%EF%BC%8E%EF%BC%8E"),  # it decomposes to ".."
    ("", "filename=download"),
    (" ", "filename=download"),
    ("..", "filename=download"),
]


@pytest.mark.parametrize(("filename", "parameters"), FILENAMES)
def test_a_file_name_is_given_as_each_recipient_can_read_it(filename: str, parameters: str) -> None:
    assert content_disposition("attachment", filename) == f"attachment; {parameters}"
    assert content_disposition("inline", filename) == f"inline; {parameters}"


@given(st.text(st.characters(), max_size=40))
def test_any_text_makes_one_line_of_ascii_that_holds_a_name_without_a_separator(filename: str) -> None:
    value = content_disposition("attachment", filename)
    assert re.fullmatch(r"[ -~]+", value)
    plain, _, exact = value.partition("; filename*=UTF-8''")
    disposition, parameters = parse_options_header(plain)
    assert disposition == "attachment"
    assert parameters["filename"].strip(" .")
    assert not re.search(r"[/\\]", parameters["filename"] + unquote(exact, errors="strict"))


def test_disposition_other_than_attachment_or_inline_is_refused() -> None:
    with pytest.raises(ValueError, match="disposition: expected 'attachment' or 'inline', got 'form-data'"):
        content_disposition("form-data", "a")


def test_a_name_that_is_not_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"filename: expected text such as 'report.csv', got bytes"):
        content_disposition("attachment", b"a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # it is what is tested

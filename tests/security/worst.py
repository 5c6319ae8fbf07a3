"""The worst that a field can hold, in any length."""

from __future__ import annotations

from collections.abc import Callable

WORST: dict[str, Callable[[int], str]] = {
    "blanks": lambda size: f"a/b{' ' * (size - 4)}c",
    "tabs": lambda size: f"a/b;{chr(9) * (size - 6)}q=",
    "commas": lambda size: "," * size,
    "semicolons": lambda size: ";" * size,
    "quotes": lambda size: '"' * size,
    "escapes": lambda size: '"' + '\\"' * (size // 2),
    "brackets": lambda size: "[(<{" * (size // 4),
    "digits": lambda size: "9" * size,
    "signs": lambda size: "-" * size,
    "percents": lambda size: "%" * size,
    "ampersands": lambda size: "&a=" * (size // 3),
    "dots": lambda size: "../" * (size // 3),
    "media ranges": lambda size: ",".join(f"a/{number:x};q=0.5" for number in range(size // 14)),
    "parameters": lambda size: "a/b" + ";q=0.1" * (size // 6),
    "codings": lambda size: "gzip;q=0.5," * (size // 11),
    "ranges": lambda size: "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(size // 12)),
    "overlapping ranges": lambda size: "bytes=" + "0-," * (size // 3),
    "a huge range": lambda size: f"bytes={'9' * size}-",
    "tags": lambda size: 'W/"a",' * (size // 6),
    "an open tag": lambda size: f'"a", W/"{"b" * size}',
    "a huge year": lambda size: f"Mon, 01 Jan {'9' * size} 00:00:00 GMT",
    "a huge zone": lambda size: f"Mon, 01 Jan 2024 00:00:00 +{'9' * size}",
    "a year out of range": lambda _: "Mon, 01 Jan 99999999999 00:00:00 GMT",
    "a zone out of range": lambda _: "Mon, 01 Jan 2024 00:00:00 +9999",
    "a date before all": lambda _: "Mon, 01 Jan 0001 00:00:00 +2359",
    "cookies": lambda size: "a=b; " * (size // 5),
    "letters": lambda size: "a" * size,
    "bytes": lambda size: "\xff" * size,
}
LENGTHS = ["+12", "-5", "0x10", "1_0", "12, 12", "12.0", "", "abc", "\xb2", "9" * 4400, " 0" * 4000]
FIELDS = [
    "Accept",
    "Accept-Encoding",
    "Range",
    "If-Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "Last-Event-ID",
    "Expect",
    "Cookie",
    "Host",
]

"""What an error may show of a broker's URL."""

from __future__ import annotations

__all__ = ["has_secrets", "shown_url"]


def has_secrets(url: str) -> bool:
    """Return True if a part of a URL may be a password: before the host, or among the options."""
    return "@" in url or "password" in url.lower()


def shown_url(url: str) -> str:
    """Return a URL in quotes; without its password, whichever part of it that is."""
    scheme, found, _ = url.partition("://")
    return f"'{scheme if found and scheme.isalnum() else ''}://…'" if has_secrets(url) else repr(url)

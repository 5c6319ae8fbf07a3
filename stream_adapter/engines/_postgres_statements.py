"""The statements of the PostgreSQL engine. Its functions and tables are `_postgres_schema`."""

from __future__ import annotations

__all__ = ["APPEND", "KEEP", "KEPT", "OPEN", "PAGE", "PLACES", "RENEW_MANY", "RUN", "STATE"]

KEPT = 86400.0  # seconds that the epoch and offset of an idle channel are kept, and at least ten times its age
APPEND = (
    "SELECT in_epoch, at FROM stream_adapter_append_1(%s, %s, %s, %s::float8, %s::bigint, %s::bigint, %s::float8,"
    " %s::bigint, %s::float8, %b::bytea[], %s::text[])"  # binary: psycopg's text depends on standard_conforming_strings
)
# What is there of some channels, in one statement and so at one moment. Events past their age are left out, not deleted
_NOW = "coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp()))"
_USABLE = f"c.store = %(store)s AND (c.status IS NULL OR c.status = 'running' OR c.expires > {_NOW})"
_KEPT_EVENT = f"(c.status IS NOT NULL OR e.time > {_NOW} - c.age)"
PLACES = (
    f"SELECT c.used < {_NOW} - {KEPT / 2}, c.name, c.id, c.epoch, c.top, c.changes FROM stream_adapter_channels c"  # noqa: S608  # texts of this module
    f" WHERE c.name = ANY(%(names)s) AND {_USABLE}"
)
# A channel that a process watches is kept, also without events. A row that is locked has an event
KEEP = (
    f"UPDATE stream_adapter_channels SET used = {_NOW} WHERE id IN (SELECT id FROM stream_adapter_channels"  # noqa: S608  # as above
    " WHERE id = ANY(%(ids)s) FOR UPDATE SKIP LOCKED)"
)
PAGE = (
    "SELECT c.epoch, c.top,"  # noqa: S608  # texts of this module
    ' (SELECT e."offset" FROM stream_adapter_events e'
    f' WHERE e.channel = c.id AND {_KEPT_EVENT} ORDER BY e."offset" LIMIT 1),'
    ' e."offset", e.time, e.payload FROM stream_adapter_channels c LEFT JOIN LATERAL'
    ' (SELECT e."offset", e.time, e.payload FROM stream_adapter_events e WHERE e.channel = c.id'
    f' AND e."offset" > coalesce(%(since)s::bigint, c.top - %(limit)s) AND {_KEPT_EVENT}'
    ' ORDER BY e."offset" LIMIT %(limit)s) e ON true'
    f' WHERE c.name = %(name)s AND {_USABLE} ORDER BY e."offset"'
)
OPEN = (
    f"SELECT (stream_adapter_open_1(w.name, w.epoch, %(store)s, {_NOW}, true)).id"  # noqa: S608  # as above
    " FROM unnest(%(names)s::text[], %(epochs)s::text[]) AS w (name, epoch)"
)
STATE = "epoch, token, status, expires, cancelled"
RENEW_MANY = (
    "SELECT (run).epoch, (run).token, (run).status, (run).expires, (run).cancelled FROM (SELECT"
    " stream_adapter_renew_1(w.name, %s, %s, %s::float8, w.token, w.lease) AS run, w.at"
    " FROM unnest(%s::text[], %s::bigint[], %s::float8[]) WITH ORDINALITY AS w (name, token, lease, at)"
    " OFFSET 0) renewed ORDER BY at"  # OFFSET 0: the function is called once for each, not once for each column
)
RUN = (
    f"SELECT {STATE} FROM stream_adapter_channels c"  # noqa: S608  # texts of this module
    f" WHERE c.name = %(name)s AND c.status IS NOT NULL AND {_USABLE}"
)

"""The tables and functions of the PostgreSQL engine, as a DBA reads them: `python -m stream_adapter.engines.postgres`.

A function is a method of the engine that writes, one atomic step each. The row of a channel is locked first, so the
order of offsets is the order of commits; a sequence's order would not be. Reading locks nothing, and so does not wait
for a transaction that publishes. The names of the functions end with the version of
this schema, so several versions of the library can share a database.

An epoch ends where the database may have lost what it held: `store` names the timeline of the server's log, which a
restored backup and a promoted replica change, and the table, which differs after a dump was restored.
"""

from __future__ import annotations

__all__ = ["FENCED", "IDENTITY", "IS_INSTALLED", "SCHEMA"]

FENCED = "SA001"
"""The SQLSTATE of a token that is stale."""

IS_INSTALLED = (
    "SELECT to_regprocedure('stream_adapter_finish_1"
    "(text, text, text, double precision, bigint, text, bytea[], text[])') IS NOT NULL"
)

IDENTITY = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END"
    " || '.' || 'stream_adapter_channels'::regclass::oid"
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS stream_adapter_channels (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE,           -- "prefix:channel"
    store     text NOT NULL,                  -- the database that its epoch began in
    epoch     text NOT NULL,                  -- while it stays, offsets only grow
    top       bigint NOT NULL DEFAULT 0,      -- offset of the newest event
    size      bigint NOT NULL DEFAULT 0,      -- bytes of all events of the epoch
    age       double precision NOT NULL DEFAULT 300,  -- seconds that an event is kept
    used      double precision NOT NULL,      -- seconds since 1970 of the last event
    changes   bigint NOT NULL DEFAULT 0,      -- of what follows
    status    text,                           -- of a run: running, done, error, cancelled, lost
    token     bigint,
    expires   double precision,
    retain    double precision,
    cancelled boolean NOT NULL DEFAULT false
);

CREATE TABLE IF NOT EXISTS stream_adapter_events (
    channel  bigint NOT NULL REFERENCES stream_adapter_channels ON DELETE CASCADE,
    "offset" bigint NOT NULL,
    time     double precision NOT NULL,
    before   bigint NOT NULL,                 -- bytes of the events before it
    payload  bytea NOT NULL,
    PRIMARY KEY (channel, "offset")
);

CREATE TABLE IF NOT EXISTS stream_adapter_keys (
    channel  bigint NOT NULL REFERENCES stream_adapter_channels ON DELETE CASCADE,
    key      text NOT NULL,
    "offset" bigint NOT NULL,
    time     double precision NOT NULL,
    PRIMARY KEY (channel, key)
);

-- Begin an epoch: no events, no keys, no run.
CREATE OR REPLACE FUNCTION stream_adapter_begin_1(_id bigint, _epoch text, _store text, _now double precision)
RETURNS stream_adapter_channels LANGUAGE plpgsql AS $$
DECLARE
    found stream_adapter_channels;
BEGIN
    DELETE FROM stream_adapter_events WHERE channel = _id;
    DELETE FROM stream_adapter_keys WHERE channel = _id;
    UPDATE stream_adapter_channels
    SET store = _store, epoch = _epoch, top = 0, size = 0, age = 300, used = _now, changes = changes + 1,
        status = NULL, token = NULL, expires = NULL, retain = NULL, cancelled = false
    WHERE id = _id RETURNING * INTO found;
    RETURN found;
END $$;

-- Lock a channel's row. A new one is made if asked for; one whose time is over begins an epoch.
CREATE OR REPLACE FUNCTION stream_adapter_open_1(
    _name text, _epoch text, _store text, _now double precision, _makes boolean)
RETURNS stream_adapter_channels LANGUAGE plpgsql AS $$
DECLARE
    found stream_adapter_channels;
BEGIN
    SELECT * INTO found FROM stream_adapter_channels WHERE name = _name FOR UPDATE;
    IF found.id IS NULL AND _makes THEN
        INSERT INTO stream_adapter_channels (name, store, epoch, used) VALUES (_name, _store, _epoch, _now)
        ON CONFLICT (name) DO NOTHING;
        SELECT * INTO found FROM stream_adapter_channels WHERE name = _name FOR UPDATE;
    END IF;
    IF found.store <> _store OR (found.status <> 'running' AND found.expires <= _now) THEN
        found := stream_adapter_begin_1(found.id, _epoch, _store, _now);
    END IF;
    RETURN found;
END $$;

-- Delete the events before the first one to keep. Each of the three bounds splits a channel in two.
CREATE OR REPLACE FUNCTION stream_adapter_trim_1(
    c stream_adapter_channels, _now double precision, _count bigint, _bytes bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    keep bigint;
BEGIN
    SELECT e."offset" INTO keep FROM stream_adapter_events e
    WHERE e.channel = c.id AND e."offset" > c.top - _count AND e.time > _now - c.age
        AND (c.size - e.before <= _bytes OR e."offset" = c.top)
    ORDER BY e."offset" LIMIT 1;
    DELETE FROM stream_adapter_events e WHERE e.channel = c.id AND e."offset" < coalesce(keep, c.top + 1);
END $$;

-- Store events; the offset of each, or of the earlier one with its key. Without a count, in a run, nothing is trimmed,
-- and a key of digits is the offset that the event is to have: one that is there was stored by an earlier attempt.
CREATE OR REPLACE FUNCTION stream_adapter_store_1(
    c stream_adapter_channels, _now double precision, _count bigint, _age double precision, _bytes bigint,
    _key_seconds double precision, _payloads bytea[], _keys text[])
RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
    is_planned boolean;
BEGIN
    FOR n IN 1..cardinality(_payloads) LOOP
        stored := NULL;
        is_planned := _count IS NULL AND coalesce(_keys[n] ~ '^[0-9]+$', false);
        IF is_planned THEN
            IF _keys[n]::bigint <= c.top THEN
                stored := _keys[n]::bigint;
            END IF;
        ELSIF _keys[n] IS NOT NULL THEN
            SELECT k."offset" INTO stored FROM stream_adapter_keys k
            WHERE k.channel = c.id AND k.key = _keys[n] AND k.time > _now - _key_seconds;
        END IF;
        IF stored IS NULL THEN
            c.top := c.top + 1;
            stored := c.top;
            INSERT INTO stream_adapter_events VALUES (c.id, c.top, _now, c.size, _payloads[n]);
            c.size := c.size + length(_payloads[n]);
            IF _keys[n] IS NOT NULL AND NOT is_planned THEN
                INSERT INTO stream_adapter_keys VALUES (c.id, _keys[n], stored, _now)
                ON CONFLICT (channel, key) DO UPDATE SET "offset" = excluded."offset", time = excluded.time;
            END IF;
        END IF;
        RETURN NEXT stored;
    END LOOP;
    c.age := coalesce(_age, c.age);
    IF _count IS NOT NULL AND c.status IS NULL THEN
        PERFORM stream_adapter_trim_1(c, _now, _count, _bytes);
    END IF;
    UPDATE stream_adapter_channels SET top = c.top, size = c.size, age = c.age, used = _now WHERE id = c.id;
END $$;

CREATE OR REPLACE FUNCTION stream_adapter_fence_1(c stream_adapter_channels, _token bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF c.status IS DISTINCT FROM 'running' OR c.token IS DISTINCT FROM _token THEN
        RAISE EXCEPTION 'the run has ended, or another one has taken its place' USING ERRCODE = 'SA001';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION stream_adapter_append_1(
    _name text, _epoch text, _store text, _now double precision, _token bigint, _count bigint, _age double precision,
    _bytes bigint, _key_seconds double precision, _payloads bytea[], _keys text[])
RETURNS TABLE (in_epoch text, at bigint) LANGUAGE plpgsql AS $$
DECLARE
    c stream_adapter_channels;
    now double precision := coalesce(_now, extract(epoch FROM clock_timestamp()));
BEGIN
    c := stream_adapter_open_1(_name, _epoch, _store, now, true);
    now := coalesce(_now, extract(epoch FROM clock_timestamp()));  -- after the lock: times grow with offsets
    IF _token IS NOT NULL THEN
        PERFORM stream_adapter_fence_1(c, _token);
        RETURN QUERY SELECT c.epoch, s FROM
            stream_adapter_store_1(c, now, NULL, NULL, NULL, _key_seconds, _payloads, _keys) s;
    ELSE
        RETURN QUERY SELECT c.epoch, s FROM
            stream_adapter_store_1(c, now, _count, _age, _bytes, _key_seconds, _payloads, _keys) s;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION stream_adapter_claim_1(
    _name text, _epoch text, _store text, _now double precision, _lease double precision, _retain double precision,
    _restart boolean)
RETURNS TABLE (run stream_adapter_channels, granted boolean) LANGUAGE plpgsql AS $$
DECLARE
    c stream_adapter_channels;
    now double precision := coalesce(_now, extract(epoch FROM clock_timestamp()));
    next_token bigint;
BEGIN
    c := stream_adapter_open_1(_name, _epoch, _store, now, true);
    IF c.status = 'running' OR (c.status IS NOT NULL AND NOT _restart) THEN
        RETURN QUERY SELECT c, false;
        RETURN;
    END IF;
    next_token := greatest(coalesce(c.token, 0) + 1, floor(now * 1000000)::bigint);
    c := stream_adapter_begin_1(c.id, _epoch, _store, now);
    UPDATE stream_adapter_channels
    SET status = 'running', token = next_token, expires = now + _lease, retain = _retain
    WHERE id = c.id RETURNING * INTO c;
    RETURN QUERY SELECT c, true;
END $$;

CREATE OR REPLACE FUNCTION stream_adapter_renew_1(
    _name text, _epoch text, _store text, _now double precision, _token bigint, _lease double precision)
RETURNS stream_adapter_channels LANGUAGE plpgsql AS $$
DECLARE
    c stream_adapter_channels;
    now double precision := coalesce(_now, extract(epoch FROM clock_timestamp()));
BEGIN
    c := stream_adapter_open_1(_name, _epoch, _store, now, false);
    PERFORM stream_adapter_fence_1(c, _token);
    UPDATE stream_adapter_channels SET expires = now + _lease WHERE id = c.id RETURNING * INTO c;
    RETURN c;
END $$;

-- Ask the producer of a run to end, if the epoch is the run's.
CREATE OR REPLACE FUNCTION stream_adapter_cancel_1(
    _name text, _epoch text, _store text, _now double precision, _cancels text)
RETURNS stream_adapter_channels LANGUAGE plpgsql AS $$
DECLARE
    c stream_adapter_channels;
    now double precision := coalesce(_now, extract(epoch FROM clock_timestamp()));
BEGIN
    c := stream_adapter_open_1(_name, _epoch, _store, now, false);
    IF c.status = 'running' AND c.epoch = _cancels THEN
        UPDATE stream_adapter_channels SET cancelled = true, changes = changes + 1 WHERE id = c.id RETURNING * INTO c;
    END IF;
    RETURN c;
END $$;

CREATE OR REPLACE FUNCTION stream_adapter_finish_1(
    _name text, _epoch text, _store text, _now double precision, _token bigint, _status text, _payloads bytea[],
    _keys text[])
RETURNS stream_adapter_channels LANGUAGE plpgsql AS $$
DECLARE
    c stream_adapter_channels;
    now double precision := coalesce(_now, extract(epoch FROM clock_timestamp()));
BEGIN
    c := stream_adapter_open_1(_name, _epoch, _store, now, false);
    PERFORM stream_adapter_fence_1(c, _token);
    IF _status = 'lost' AND c.expires > now THEN
        RETURN c;
    END IF;
    PERFORM stream_adapter_store_1(c, now, NULL, NULL, NULL, 0, _payloads, _keys);
    UPDATE stream_adapter_channels SET status = _status, expires = now + c.retain, changes = changes + 1
    WHERE id = c.id RETURNING * INTO c;
    RETURN c;
END $$;
"""

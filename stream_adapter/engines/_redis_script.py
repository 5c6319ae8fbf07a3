"""The script that Redis runs for every method: one atomic step each.

What a channel is there, under one hash tag, so that both keys are on one node of a cluster:

    {name}:h   a hash: epoch, top, server, age, sum, seen, and of a run status, token, expires, retain, cancelled
    {name}:s   a stream with the ids `<offset>-0`; fields `t`, the time, `b`, the bytes of all entries before, `p`, the
               payload
    {name}:k:… a string for each key that was published lately: epoch, offset, time
    {name}:n   the Pub/Sub channel

`sum` counts the bytes of all entries of the epoch, so `sum - b` of the oldest entry is what is stored.

An epoch ends where the store has lost what it held: the hash is missing (FLUSHALL, eviction, expiry), or it was written
under another `run_id`: the server came back from a snapshot or a log that may be older than what it once confirmed.

Every key expires: the hash a day, and at least ten times the history's age, after the last event or the last look of a
listener's process (which renews it once half a day has passed), the stream with its newest entry. The
times are compared as well, since a test's clock is not the server's.
"""

from __future__ import annotations

import hashlib

__all__ = ["CHANGED", "SCRIPT", "SCRIPT_SHA"]

CHANGED = b"!"
"""The message that says: look again."""

# ARGV: 1 method, 2 the connection's run_id, 3 a name for a new epoch, 4 the time or '', 5 … of the method
SCRIPT = """
local head, body, notice = KEYS[1], KEYS[2], KEYS[3]
local method, server, fresh, given = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local DAY, BATCH = 86400, 32

local now = given
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function text(number) return string.format('%.6f', number) end
local function whole(number) return string.format('%.0f', number) end

local got = redis.call(
  'HMGET', head, 'epoch', 'top', 'server', 'age', 'sum', 'status', 'token', 'expires', 'retain', 'cancelled',
  'seen')
local epoch, top, age, sum = got[1], tonumber(got[2]), tonumber(got[4]) or 300, tonumber(got[5]) or 0
local status, token, expires, retain, cancelled =
  got[6], tonumber(got[7]), tonumber(got[8]), tonumber(got[9]), got[10] == '1'
local seen = tonumber(got[11]) or 0
local exists = epoch and got[3] == server and not (status and status ~= 'running' and expires <= now)

local function keep(seconds)
  redis.call('PEXPIRE', head, whole(math.max(DAY, 10 * age, seconds) * 1000))
end

local function begin()
  redis.call('DEL', head, body)
  epoch, top, age, sum, status, token, cancelled = fresh, 0, 300, 0, false, nil, false
  redis.call('HSET', head, 'epoch', epoch, 'top', 0, 'server', server, 'seen', text(now))
  keep(0)
end

-- A channel that a process watches is kept, also without events: its epoch does not end while it is listened to.
local function keep_watched()
  if not status and seen < now - DAY / 2 then
    redis.call('HSET', head, 'seen', text(now))
    keep(0)
  end
end

local function state(granted)
  return {epoch, whole(token), status, text(expires), cancelled and 1 or 0, granted}
end

-- Drop the oldest entries while they are past their age or more than `most` bytes; the newest is kept from the latter.
local function expire(most)
  if status then return end
  local count = 1  -- mostly the oldest is kept
  while true do
    local oldest = redis.call('XRANGE', body, '-', '+', 'COUNT', count)
    count = BATCH
    local first = nil
    for index, entry in ipairs(oldest) do
      local newest = entry[1] == top .. '-0'
      local is_old = tonumber(entry[2][2]) <= now - age
      local is_much = most and not newest and sum - tonumber(entry[2][4]) > most
      if not is_old and not is_much then
        first = index
        break
      end
    end
    if first == 1 or #oldest == 0 then return end
    if first then
      redis.call('XTRIM', body, 'MINID', oldest[first][1])
      return
    end
    local last = tonumber(string.match(oldest[#oldest][1], '^%d+'))
    redis.call('XTRIM', body, 'MINID', whole(last + 1) .. '-0')
  end
end

local function stored_once(key, seconds)
  local value = redis.call('GET', key)
  if not value then return nil end
  local its_epoch, its_offset, its_time = string.match(value, '^(%S+) (%d+) (%S+)$')
  if its_epoch == epoch and tonumber(its_time) > now - seconds then return tonumber(its_offset) end
  return nil
end

-- Append frames, which stand in ARGV from `at` on: a payload, and '1' if its key is the next of KEYS, or, in a run, '@'
-- with the offset that it is to have, else ''. An offset that is there was appended by an attempt without an answer.
local function append(at, count, seconds)
  local offsets, lengths, payloads, size = {}, {}, {}, 0
  local next_key, first = 4, top + 1
  for index = at, #ARGV, 2 do
    local payload, key, offset = ARGV[index], nil, nil
    local planned = tonumber(string.match(ARGV[index + 1], '^@(%d+)$'))
    if planned and planned <= top then
      offset = planned
    elseif ARGV[index + 1] == '1' then
      key, next_key = KEYS[next_key], next_key + 1
      offset = stored_once(key, seconds)
    end
    if not offset then
      top = top + 1
      offset = top
      local bound = count and {'MAXLEN', '~', count} or {}
      local arguments = {'XADD', body}
      for _, part in ipairs(bound) do arguments[#arguments + 1] = part end
      for _, part in ipairs({whole(top) .. '-0', 't', text(now), 'b', whole(sum), 'p', payload}) do
        arguments[#arguments + 1] = part
      end
      redis.call(unpack(arguments))
      sum = sum + #payload
      size = size + #payload
      lengths[#lengths + 1] = #payload
      payloads[#payloads + 1] = payload
      if key then
        redis.call('SET', key, epoch .. ' ' .. whole(offset) .. ' ' .. text(now), 'PX', whole(seconds * 1000))
      end
    end
    offsets[#offsets + 1] = whole(offset)
  end
  if #lengths > 0 then
    redis.call('HSET', head, 'top', whole(top), 'sum', whole(sum), 'age', age)
    if size > 1048576 then
      redis.call('PUBLISH', notice, '!')  -- a subscriber that is slow for a moment must not be cut off by the server
    else
      redis.call('PUBLISH', notice, epoch .. ' ' .. whole(first) .. ' ' .. text(now) .. ' '
        .. table.concat(lengths, ',') .. '\\n' .. table.concat(payloads))
    end
  end
  return offsets
end

local function fenced(wanted) return status ~= 'running' or token ~= tonumber(wanted) end

if method == 'append' then  -- token or '', count, age, bytes, seconds of a key, frames
  local wanted, seconds = ARGV[5], tonumber(ARGV[9])
  if not exists then
    if wanted ~= '' then return redis.error_reply('FENCED') end
    redis.call('HSET', head, 'epoch', fresh)  -- a server that is full refuses it, but not after the first write
    begin()
  end
  if wanted ~= '' then
    if fenced(wanted) then return redis.error_reply('FENCED') end
    local offsets = append(10, nil, seconds)
    redis.call('PEXPIRE', body, DAY * 1000)
    return epoch .. ' ' .. table.concat(offsets, ' ')
  end
  age = tonumber(ARGV[7])
  local offsets = append(10, not status and ARGV[6] or nil, seconds)
  expire(tonumber(ARGV[8]))
  keep(0)
  redis.call('PEXPIRE', body, whole((status and DAY or age) * 1000))
  return epoch .. ' ' .. table.concat(offsets, ' ')
end

if method == 'read' then  -- since or '', limit
  if exists then
    expire(nil)
    keep_watched()
  else
    begin()
  end
  local since, limit = tonumber(ARGV[5]), tonumber(ARGV[6])
  local oldest = redis.call('XRANGE', body, '-', '+', 'COUNT', 1)
  local earliest = #oldest > 0 and string.match(oldest[1][1], '^%d+') or whole(top + 1)
  local entries = {}
  if limit > 0 and not since then
    entries = redis.call('XREVRANGE', body, '+', '-', 'COUNT', limit)
  elseif limit > 0 and since < top then
    entries = redis.call('XRANGE', body, whole(since + 1) .. '-0', '+', 'COUNT', limit)
  end
  return {epoch, whole(top), earliest, entries}
end

if method == 'position' then
  if exists then keep_watched() else begin() end
  return {epoch, whole(top)}
end

if method == 'claim' then  -- lease, retain, '1' to restart
  if exists and status and (status == 'running' or ARGV[7] ~= '1') then return state(0) end
  local next_token = math.max((token or 0) + 1, math.floor(now * 1000000))
  begin()
  status, token, expires = 'running', next_token, now + tonumber(ARGV[5])
  redis.call('HSET', head, 'status', status, 'token', whole(token), 'expires', text(expires), 'retain', ARGV[6])
  keep(tonumber(ARGV[5]) + tonumber(ARGV[6]))
  redis.call('PUBLISH', notice, '!')
  return state(1)
end

if not exists then
  if method == 'state' or method == 'cancel' then return false end
  return redis.error_reply('FENCED')
end

if method == 'state' then
  return status and state(0) or false
end

if method == 'cancel' then  -- the run's epoch
  if status == 'running' and epoch == ARGV[5] then
    cancelled = true
    redis.call('HSET', head, 'cancelled', 1)
    redis.call('PUBLISH', notice, '!')
  end
  return status and state(0) or false
end

if fenced(ARGV[5]) then return redis.error_reply('FENCED') end

if method == 'renew' then  -- token, lease
  expires = now + tonumber(ARGV[6])
  redis.call('HSET', head, 'expires', text(expires))
  keep(tonumber(ARGV[6]) + retain)
  redis.call('PEXPIRE', body, DAY * 1000)  -- its source may wait for days
  return state(0)
end

if method == 'finish' then  -- token, status, seconds of a key, frames
  if ARGV[6] == 'lost' and expires > now then return state(0) end
  append(8, nil, tonumber(ARGV[7]))
  status, expires = ARGV[6], now + retain
  redis.call('HSET', head, 'status', status, 'expires', text(expires))
  local kept = whole((retain + 60) * 1000)
  redis.call('PEXPIRE', head, kept)
  redis.call('PEXPIRE', body, kept)
  redis.call('PUBLISH', notice, '!')
  return state(0)
end

return redis.error_reply('unknown method ' .. method)
"""

SCRIPT_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

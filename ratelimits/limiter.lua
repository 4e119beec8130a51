-- Sliding window of a minute and counter of a UTC day, charged in one atomic step.
--
-- KEYS[1]  log: the instants of admitted requests, oldest first, 4 bytes each: microseconds modulo
--          2^32 (71 minutes). Instants that have left the minute may still precede the current ones.
-- KEYS[2]  state: a summary of the log (HEADER), then the UTC days, newest first (DAY_RECORD). A
--          subject without a daily quota has no days.
-- ARGV     per minute, per day ("": unlimited), cost (0: only read), now in microseconds ("": the
--          server's clock)
-- returns  admitted (1 or 0), used in the minute, when its next unit is available, used in the day,
--          how long to wait, now (instants and durations in microseconds)
--
-- Reading a string into Lua costs time in proportion to its length. So the log is only appended to,
-- and only the few instants that have just left the minute are read from it.

local MINUTE = 60000000
local DAY = 86400000000
local MODULUS = 4294967296
-- The newest instant, the oldest in the minute, when the log was last rewritten; how many instants at
-- its start have left the minute, and how many it has in all.
local HEADER, HEADER_BYTES = '>dddI4I4', 32
-- Days since 1970, admitted, rejected, the most in any minute.
local DAY_RECORD, DAY_BYTES = '>I4I4I4I4', 16
local MAX_DAYS = 35 -- a task stores them in the database long before
-- The log is rewritten, and its expiry renewed, at least this often; its last instant has left the
-- minute before the key expires, even if the clock is set back meanwhile.
local REWRITE_AFTER, EXPIRE_SECONDS = 2 * MINUTE, 300
local READ_BATCH = 64

local per_minute, per_day, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local state = redis.call('GET', KEYS[2]) or ''

local function instant(bytes, at)
  return now - (now - struct.unpack('>I4', bytes, at)) % MODULUS
end

local newest, oldest, rewritten, gone, length = 0, 0, 0, 0, 0
if state ~= '' then
  newest, oldest, rewritten, gone, length = struct.unpack(HEADER, state)
  -- A clock that was set back must not make past requests count again; set back by more than a
  -- minute, it must not make the business wait for it either.
  if newest > now + MINUTE or newest <= now - MINUTE then
    gone = length
  elseif newest > now then
    now = newest
  end
end
while gone < length and oldest <= now - MINUTE do
  local from = 4 * (gone + 1)
  local next = redis.call('GETRANGE', KEYS[1], from, from + 4 * READ_BATCH - 1)
  if next == '' then -- the log was deleted
    gone = length
  end
  for at = 1, #next, 4 do
    gone, oldest = gone + 1, instant(next, at)
    if oldest > now - MINUTE then
      break
    end
  end
end
local used = length - gone

local function in_minute(index) -- 0 is the oldest
  if index == 0 then
    return oldest
  end
  local from = 4 * (gone + index)
  local found = redis.call('GETRANGE', KEYS[1], from, from + 3)
  return found == '' and newest or instant(found, 1)
end

local today = math.floor(now / DAY)
local day, day_used, refused, peak = today, 0, 0, 0
local is_new_day = true
if per_day and #state > HEADER_BYTES then
  local last_day, last_used, last_refused, last_peak = struct.unpack(DAY_RECORD, state, HEADER_BYTES + 1)
  if last_day >= today then
    is_new_day, day = false, last_day
    day_used, refused, peak = last_used, last_refused, last_peak
  end
end

local wait = 0
if cost > 0 then
  local surplus = used + cost - per_minute -- this many of the oldest must leave before `cost` more fit
  if surplus > 0 then
    wait = MINUTE - now + (surplus <= used and in_minute(surplus - 1) or now)
  end
  if per_day and day_used + cost > per_day then
    wait = math.max(wait, (today + 1) * DAY - now)
  end

  local is_new_log = false
  if wait > 0 then
    refused = refused + 1
  else
    local instants = string.rep(struct.pack('>I4', now % MODULUS), cost)
    is_new_log = gone >= used or now - rewritten > REWRITE_AFTER
    if is_new_log then
      local rest = used > 0 and redis.call('GETRANGE', KEYS[1], 4 * gone, -1) or ''
      redis.call('SET', KEYS[1], rest .. instants, 'EX', EXPIRE_SECONDS)
      rewritten, gone, length = now, 0, used
    else
      redis.call('APPEND', KEYS[1], instants)
    end
    if used == 0 then
      oldest = now
    end
    newest, length = now, length + cost
    used, day_used = used + cost, day_used + cost
    peak = math.max(peak, used)
  end

  local header = struct.pack(HEADER, newest, oldest, rewritten, gone, length)
  local record = per_day and struct.pack(DAY_RECORD, day, day_used, refused, peak) or ''
  if is_new_log or per_day and is_new_day then
    local from = HEADER_BYTES + 1 + (is_new_day and 0 or DAY_BYTES)
    local days = record .. string.sub(state, from, HEADER_BYTES + (MAX_DAYS - 1) * DAY_BYTES)
    local seconds = days == '' and EXPIRE_SECONDS or MAX_DAYS * 86400
    redis.call('SET', KEYS[2], header .. days, 'EX', seconds)
  elseif state ~= '' then
    redis.call('SETRANGE', KEYS[2], 0, header .. record)
  end
end

local available_at = now
if used > 0 then
  -- After a change to a smaller plan more than one must leave before a unit is available.
  local leaving = per_minute > 0 and math.max(0, used - per_minute) or 0
  available_at = in_minute(leaving) + MINUTE
end
return { wait == 0 and 1 or 0, used, available_at, per_day and day_used or 0, wait, now }

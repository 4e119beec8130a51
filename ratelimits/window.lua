-- May one more request be made now, and what is left? Both windows in one atomic step.
--
-- KEYS[1]  the log: the instants admitted in the last minute, oldest first, 4 bytes each: microseconds
--          modulo 2^32, which is 71 minutes. Before them may stand some that have left the minute.
-- KEYS[2]  the state: what is known of the log without reading it (HEADER), then the UTC days, newest
--          first (DAY). A subject without a quota of the day has no days.
-- KEYS[3]  a value to be read in the same step; left out where there is none
-- KEYS[4]  another one, to be told; only where there is KEYS[3]
-- ARGV     per minute, per day ("": no quota), cost (0: only look), now in microseconds ("": the
--          server's clock), what must stand at KEYS[3] ("": nothing)
-- returns  admitted (1 or 0), used in the minute, when its next unit comes back, used in the day,
--          how long to wait, now (instants and waits in microseconds), what stands at KEYS[4];
--          or what stands at KEYS[3] where that is something else: nothing was taken then
--
-- Reading a string into Lua costs by its length, so the log, which is long, is only added to; of it
-- those few instants are read that have just left the minute.

local MINUTE = 60000000
local DAY = 86400000000
local ROUND = 4294967296
-- The newest instant and the oldest in the minute, when the log was begun anew; how many at its
-- beginning have left the minute, how many there are in all.
local HEADER, HEADER_BYTES = '>dddI4I4', 32
-- The day since 1970, admitted, refused, the most in any minute.
local DAY_RECORD, DAY_BYTES = '>I4I4I4I4', 16
local KEPT_DAYS = 35 -- until a task has written them down
-- The log is begun anew after so long at the latest; its last instant has then left the minute
-- before the key is gone, even where the clock was set back meanwhile.
local BEGUN_AFTER, KEPT_SECONDS = 2 * MINUTE, 300
local READ_AT_ONCE = 64

local per_minute, per_day, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local state, told
if KEYS[3] then
  local kept = redis.call('MGET', KEYS[2], KEYS[3], KEYS[4] or KEYS[3])
  local value = kept[2] or ''
  if value ~= ARGV[5] then
    return value
  end
  state, told = kept[1] or '', kept[3] or ''
else
  state = redis.call('GET', KEYS[2]) or ''
end

local function instant(bytes, at)
  return now - (now - struct.unpack('>I4', bytes, at)) % ROUND
end

local newest, oldest, begun, gone, length = 0, 0, 0, 0, 0
if state ~= '' then
  newest, oldest, begun, gone, length = struct.unpack(HEADER, state)
  -- A clock set back must not bring the past back to life; set back by more than a minute it must
  -- not keep the business waiting for it either.
  if newest > now + MINUTE or newest <= now - MINUTE then
    gone = length
  elseif newest > now then
    now = newest
  end
end
while gone < length and oldest <= now - MINUTE do
  local from = 4 * (gone + 1)
  local next = redis.call('GETRANGE', KEYS[1], from, from + 4 * READ_AT_ONCE - 1)
  if next == '' then -- somebody deleted the log
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

local function in_minute(place) -- 0 is the oldest
  if place == 0 then
    return oldest
  end
  local from = 4 * (gone + place)
  local found = redis.call('GETRANGE', KEYS[1], from, from + 3)
  return found == '' and newest or instant(found, 1)
end

local today = math.floor(now / DAY)
local day, day_used, refused, peak = today, 0, 0, 0
local is_new_day = true
if per_day and #state > HEADER_BYTES then
  local last, its_used, its_refused, its_peak = struct.unpack(DAY_RECORD, state, HEADER_BYTES + 1)
  if last >= today then
    is_new_day, day, day_used, refused, peak = false, last, its_used, its_refused, its_peak
  end
end

local wait = 0
if cost > 0 then
  local surplus = used + cost - per_minute -- so many of the oldest must leave before `cost` more fit
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
    local instants = string.rep(struct.pack('>I4', now % ROUND), cost)
    is_new_log = gone >= used or now - begun > BEGUN_AFTER
    if is_new_log then
      local rest = used > 0 and redis.call('GETRANGE', KEYS[1], 4 * gone, -1) or ''
      redis.call('SET', KEYS[1], rest .. instants, 'EX', KEPT_SECONDS)
      begun, gone, length = now, 0, used
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

  local header = struct.pack(HEADER, newest, oldest, begun, gone, length)
  local record = per_day and struct.pack(DAY_RECORD, day, day_used, refused, peak) or ''
  if is_new_log or per_day and is_new_day then
    local from = HEADER_BYTES + 1 + (is_new_day and 0 or DAY_BYTES)
    local days = record .. string.sub(state, from, HEADER_BYTES + (KEPT_DAYS - 1) * DAY_BYTES)
    local seconds = days == '' and KEPT_SECONDS or KEPT_DAYS * 86400
    redis.call('SET', KEYS[2], header .. days, 'EX', seconds)
  elseif state ~= '' then
    redis.call('SETRANGE', KEYS[2], 0, header .. record)
  end
end

local comes_back = now
if used > 0 then
  -- After a change to a smaller plan more than one must leave before a unit comes back.
  local leaving = per_minute > 0 and math.max(0, used - per_minute) or 0
  comes_back = in_minute(leaving) + MINUTE
end
return { wait == 0 and 1 or 0, used, comes_back, per_day and day_used or 0, wait, now, told }

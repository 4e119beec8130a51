-- May one more request be made now, and what is left? Both windows in one atomic step.
--
-- KEYS[1]  list: the instants admitted in the last minute, in microseconds, newest first
-- KEYS[2]  hash by UTC day since 1970: "d" admitted, "d:r" refused, "d:p" the most in any minute;
--          left out where there is no quota of the day
-- ARGV     per minute, per day, cost (0: only look), now in microseconds ("": the server's clock)
-- returns  admitted (1 or 0), used in the minute, when its next unit comes back, used in the day,
--          how long to wait, now (instants and waits in microseconds)

local MINUTE = 60000000
local DAY = 86400000000
local KEPT_DAYS = 35 -- until a task has written them down

local per_minute, per_day, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- A clock set back must not bring the past back to life; set back by more than a minute it must not
-- keep the business waiting for it either.
local newest = tonumber(redis.call('LINDEX', KEYS[1], 0) or now)
if newest > now + MINUTE then
  redis.call('DEL', KEYS[1])
elseif newest > now then
  now = newest
end

local oldest = tonumber(redis.call('LINDEX', KEYS[1], -1) or nil)
while oldest and oldest <= now - MINUTE do
  redis.call('RPOP', KEYS[1])
  oldest = tonumber(redis.call('LINDEX', KEYS[1], -1) or nil)
end
local used = redis.call('LLEN', KEYS[1])

local day = string.format('%d', math.floor(now / DAY))
local day_used, peak = 0, 0
if KEYS[2] then
  local kept = redis.call('HMGET', KEYS[2], day, day .. ':p')
  day_used, peak = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
end

local wait = 0
if cost > 0 then
  if used + cost > per_minute then
    -- Newest first: from this place on all must leave before `cost` more fit.
    local blocking = per_minute >= cost and redis.call('LINDEX', KEYS[1], per_minute - cost)
    wait = (blocking and tonumber(blocking) or now) + MINUTE - now
  end
  if KEYS[2] and day_used + cost > per_day then
    wait = math.max(wait, (day + 1) * DAY - now)
  end
end

if cost > 0 and wait == 0 then
  local instant = string.format('%.0f', now)
  for _ = 1, cost do
    redis.call('LPUSH', KEYS[1], instant)
  end
  redis.call('PEXPIRE', KEYS[1], MINUTE / 1000)
  used = used + cost
  oldest = oldest or now
  if KEYS[2] then
    if day_used == 0 then
      local old = string.format('%d', day - KEPT_DAYS)
      redis.call('HDEL', KEYS[2], old, old .. ':r', old .. ':p')
      redis.call('EXPIRE', KEYS[2], KEPT_DAYS * 86400)
    end
    day_used = day_used + cost
    redis.call('HSET', KEYS[2], day, day_used, day .. ':p', math.max(peak, used))
  end
elseif wait > 0 and KEYS[2] then
  redis.call('HINCRBY', KEYS[2], day .. ':r', 1)
end

local comes_back = now
if used > 0 then
  -- After a change to a smaller plan more than one must leave before a unit comes back.
  local first = oldest
  if used > per_minute and per_minute > 0 then
    first = tonumber(redis.call('LINDEX', KEYS[1], per_minute - 1))
  end
  comes_back = first + MINUTE
end
return { wait == 0 and 1 or 0, used, comes_back, day_used, wait, now }

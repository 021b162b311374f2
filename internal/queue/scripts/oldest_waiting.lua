-- Reads the jobs that can have waited longest: the next to run of the standard
-- ones, and the first of the highest and of the lowest class of the prioritized
-- ones; all others overtake the latter.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 limit of the options that are sent (bytes)
-- Returns: for each of these jobs {timestamp, processedOn, opts}, each nil when
--       the job has none
-- Events: none
-- @include guard
local base, limit = KEYS[1], tonumber(ARGV[1])
local wrong = guard(base, 'wait paused prioritized')
if wrong then
  return wrong
end

local jobs = {}
local function read(id)
  local key = base .. id
  if redis.call('TYPE', key).ok ~= 'hash' then
    return false
  end
  local job = {}
  for i, field in ipairs({ 'timestamp', 'processedOn', 'opts' }) do
    job[i] = redis.call('HSTRLEN', key, field) <= limit and redis.call('HGET', key, field)
  end
  jobs[#jobs + 1] = job
  return true
end

-- Entries without a job, and the markers of old layouts, never run.
for _, list in ipairs({ 'paused', 'wait' }) do
  local ids = redis.call('LRANGE', base .. list, -10, -1)
  for i = #ids, 1, -1 do
    if read(ids[i]) then
      break
    end
  end
end
local set = base .. 'prioritized'
local first, last = redis.call('ZRANGE', set, 0, 0)[1], redis.call('ZRANGE', set, -1, -1, 'WITHSCORES')[2]
if first then
  read(first)
  local class = math.floor(tonumber(last) / 4294967296)
  local lowest = redis.call('ZRANGEBYSCORE', set, class * 4294967296, '+inf', 'LIMIT', 0, 1)[1]
  if lowest ~= first then
    read(lowest)
  end
end
return jobs

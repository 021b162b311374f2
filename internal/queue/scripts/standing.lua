-- Reads what shows whether a queue moves. The jobs that can have waited longest
-- are the next to run of the standard ones, and the first of the highest and of
-- the lowest class of the prioritized ones; all others overtake the latter. Of
-- the active jobs it looks at those that were started first.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 limit of the options that are sent (bytes)
-- Returns: {for each of the jobs that wait {timestamp, processedOn, opts}, each
--       nil when the job has none; for each of the active jobs without a lock
--       processedOn or ''; when the newest of the last events that is a start or
--       an end of a job was written (its id in the stream), '' when there is
--       none or jobs are active}
-- Events: none
-- @include guard
-- @include ready
local base, limit = KEYS[1], tonumber(ARGV[1])
local wrong = guard(base, 'wait paused prioritized active')
if wrong then
  return wrong
end

local jobs = {}
for _, list in ipairs({ 'paused', 'wait' }) do
  jobs[#jobs + 1] = (nextInList(base, list, limit))
end
local set = base .. 'prioritized'
local first, last = redis.call('ZRANGE', set, 0, 0)[1], redis.call('ZRANGE', set, -1, -1, 'WITHSCORES')[2]
if first then
  jobs[#jobs + 1] = readReady(base .. first, limit)
  local class = math.floor(tonumber(last) / 4294967296)
  local lowest = redis.call('ZRANGEBYSCORE', set, class * 4294967296, '+inf', 'LIMIT', 0, 1)[1]
  if lowest ~= first then
    jobs[#jobs + 1] = readReady(base .. lowest, limit)
  end
end

-- An id without a job is nothing that anybody runs.
local unlocked = {}
local active = redis.call('LRANGE', base .. 'active', -10, -1)
for _, id in ipairs(active) do
  if redis.call('EXISTS', base .. id .. ':lock') == 0 then
    local started = redis.pcall('HGET', base .. id, 'processedOn')
    if type(started) == 'string' then
      unlocked[#unlocked + 1] = started
    end
  end
end

local moved = ''
local moves = { active = true, completed = true, failed = true }
local events = #active == 0 and redis.pcall('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 100) or {}
for _, event in ipairs(events) do
  local kind, prev
  for i = 1, #event[2], 2 do
    if event[2][i] == 'event' then
      kind = event[2][i + 1]
    elseif event[2][i] == 'prev' then
      prev = event[2][i + 1]
    end
  end
  if moves[kind] or prev == 'active' then
    moved = event[1]
    break
  end
end
return { jobs, unlocked, moved }

-- Reads how many jobs are ready to run, and the next of them, one priority after
-- the other as they run. It hops along the set from class to class and so reads
-- no more jobs than there are priorities.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 priority to begin with, or '' for the standard jobs and then all
--       2 most priorities  3 limit of the options that are sent (bytes)  4 now (ms)
-- Returns: {priorities, jobs of further priorities, delayed jobs that were due
--       before now, when the first of the delayed jobs is due (ms) or ''}; each
--       priority is {priority, jobs, id, timestamp, processedOn, opts}, from the
--       id on nil when no job is behind its first ids
-- Events: none
-- @include guard
-- @include ready
-- @include markers
local base, from, most, limit, now = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local wrong = guard(base, 'wait paused prioritized delayed')
if wrong then
  return wrong
end
local levels, class = {}, 4294967296

local function addLevel(priority, count, job, id)
  if job then
    levels[#levels + 1] = { priority, count, id, job[1], job[2], job[3] }
  else
    levels[#levels + 1] = { priority, count }
  end
end

if from == '' then
  local count = countWaiting(base, 'paused') + countWaiting(base, 'wait')
  if count > 0 then
    local job, id = nextInList(base, 'paused', limit)
    if not job then
      job, id = nextInList(base, 'wait', limit)
    end
    addLevel(0, count, job, id)
  end
end

local set = base .. 'prioritized'
local score = from == '' and '-inf' or tonumber(from) * class
local rest = 0
while true do
  local ids = redis.call('ZRANGEBYSCORE', set, score, '+inf', 'WITHSCORES', 'LIMIT', 0, 10)
  if not ids[1] then
    break
  end
  local priority = math.floor(tonumber(ids[2]) / class)
  if #levels >= most then
    rest = redis.call('ZCOUNT', set, priority * class, '+inf')
    break
  end
  local job, id
  for i = 1, #ids, 2 do
    if math.floor(tonumber(ids[i + 1]) / class) ~= priority then
      break
    end
    job, id = readReady(base .. ids[i], limit), ids[i]
    if job then
      break
    end
  end
  score = (priority + 1) * class
  addLevel(priority, redis.call('ZCOUNT', set, priority * class, score - 1), job, id)
end

local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')[2]
return {
  levels, rest, redis.call('ZCOUNT', base .. 'delayed', '-inf', now * 4096 - 1),
  first and math.floor(tonumber(first) / 4096) or '',
}

-- Adds many jobs: standard, LIFO, prioritized and delayed ones, with ids from
-- the counter or their own.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 number of jobs  then 8 per job: id or ''  name  data
--       opts  timestamp (ms)  delay (ms)  priority  lifo ('1' or '')
-- Returns: {ids in order, positions (from 1) of the jobs that existed already}
-- Events: added, waiting, delayed, duplicated
-- @include guard
-- @include enqueue
-- @include many
local base, count = KEYS[1], tonumber(ARGV[2])
local wrong = guard(base, 'meta id wait paused active prioritized delayed marker pc events')
if wrong then
  return wrong
end
local q = openQueue(base)

-- Wire section 3.1: the counter moves for every add, own id or not.
local counter = call('INCRBY', base .. 'id', count) - count

local ids, keys, events = {}, {}, q.events
local function takeIds()
  for i = 1, count do
    local id = ARGV[i * 8 - 5]
    if id == '' then
      id = string.format('%.0f', counter + i)
    end
    ids[i] = id
    keys[i] = base .. id
  end
  return call('EXISTS', unpack(keys)) > 0
end

local function ownTaken()
  for i = 1, count do
    if ARGV[i * 8 - 5] == '' and call('EXISTS', keys[i]) == 1 then
      return true
    end
  end
  return false
end

local anyTaken = takeIds()
-- A counter that was lost or set back would hand out ids of existing jobs.
while anyTaken and ownTaken() do
  counter = call('INCRBY', base .. 'id', count) - count
  anyTaken = takeIds()
end

local duplicates, waiting, lifo, prioritized, delayed, seen = {}, {}, {}, {}, {}, {}
for i = 1, count do
  local a = i * 8 - 5
  local id, key = ids[i], keys[i]
  if ARGV[a] ~= '' and (seen[id] or (anyTaken and call('EXISTS', key) == 1)) then
    duplicates[#duplicates + 1] = i
    emit(q, 'duplicated', 'jobId', id)
  else
    local name, timestamp, wait, rank = ARGV[a + 1], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6]
    if ARGV[a] ~= '' then
      seen[id] = true
    end
    -- Written out, not through storeJob and emit: this is the hottest loop there
    -- is, and passing arguments on costs as much as a tenth of it.
    call('HSET', key, 'name', name, 'data', ARGV[a + 2], 'opts', ARGV[a + 3], 'timestamp', timestamp, 'delay', wait,
      'priority', rank)
    call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
    local delay, priority = 0, 0
    if wait ~= '0' then
      delay = tonumber(wait)
    end
    if rank ~= '0' then
      priority = tonumber(rank)
    end
    if delay > 0 then
      local due = tonumber(ARGV[a + 4]) + delay
      delayed[#delayed + 1] = delayedScore(q, due)
      delayed[#delayed + 1] = id
      emit(q, 'delayed', 'jobId', id, 'delay', due)
    else
      if priority > 0 then
        prioritized[#prioritized + 1] = priority
        prioritized[#prioritized + 1] = id
      elseif ARGV[a + 7] == '1' then
        lifo[#lifo + 1] = id
      else
        waiting[#waiting + 1] = id
      end
      call('XADD', events, '*', 'event', 'waiting', 'jobId', id)
    end
  end
end

if #prioritized > 0 then
  local order = countOn(base .. 'pc', #prioritized / 2)
  for i = 1, #prioritized, 2 do
    order = order + 1
    prioritized[i] = prioritized[i] * 4294967296 + order % 4294967296
  end
  many('ZADD', q.prioritized, prioritized)
end
if #waiting > 0 then
  many('LPUSH', target(q), waiting)
end
if #lifo > 0 then
  many('RPUSH', target(q), lifo)
end
if #delayed > 0 then
  many('ZADD', q.delayed, delayed)
  wakeForDelayed(q)
end
if #waiting + #lifo + #prioritized > 0 then
  wake(q)
end
trimEvents(q)
return { ids, duplicates }

-- Adds many jobs: standard, LIFO, prioritized and delayed ones, with ids from
-- the counter or their own.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 number of jobs  3 number of settings, then 6 for each: id
--       or ''  opts  timestamp (ms)  delay (ms)  priority  lifo ('1' or ''),
--       then 3 per job: number of its settings (from 1)  name  data
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

-- Most jobs of a batch share their settings, by number.
local settings, at = {}, 4
for i = 1, tonumber(ARGV[3]) do
  settings[tostring(i)] = {
    id = ARGV[at], opts = ARGV[at + 1], timestamp = ARGV[at + 2], delay = ARGV[at + 3], priority = ARGV[at + 4],
    wait = tonumber(ARGV[at + 3]), rank = tonumber(ARGV[at + 4]), lifo = ARGV[at + 5] == '1',
  }
  at = at + 6
end

local ids, keys, settingsOf = {}, {}, {}
for i = 1, count do
  settingsOf[i] = settings[ARGV[at + i * 3 - 3]]
end

-- Numbers in a row share all but their last digit: formatting each of them
-- costs as much as a small command.
local digits = { '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }
local function numberText(n, row)
  if n < 10 then
    return string.format('%.0f', n)
  end
  local last = n % 10
  if n - last ~= row.from then
    row.from, row.head = n - last, string.format('%.0f', (n - last) / 10)
  end
  return row.head .. digits[last + 1]
end

local function takeIds()
  local row = {}
  for i = 1, count do
    local id = settingsOf[i].id
    if id == '' then
      id = numberText(counter + i, row)
    end
    ids[i] = id
    keys[i] = base .. id
  end
  return call('EXISTS', unpack(keys)) > 0
end

local function ownTaken()
  for i = 1, count do
    if settingsOf[i].id == '' and call('EXISTS', keys[i]) == 1 then
      return true
    end
  end
  return false
end

local anyTaken = takeIds()
-- A counter that was lost or set back would hand out ids of existing jobs. It
-- is moved on in growing steps: there may be millions of them.
local step = count
while anyTaken and ownTaken() do
  step = step * 2
  counter = call('INCRBY', base .. 'id', step) - count
  anyTaken = takeIds()
end

local duplicates, waiting, lifo, prioritized, delayed, seen = {}, {}, {}, {}, {}, {}
local events = q.events
for i = 1, count do
  local id, key, set = ids[i], keys[i], settingsOf[i]
  local own = set.id ~= ''
  if own and (seen[id] or (anyTaken and call('EXISTS', key) == 1)) then
    duplicates[#duplicates + 1] = i
    emit(q, 'duplicated', 'jobId', id)
  else
    if own then
      seen[id] = true
    end
    -- Written out, not through storeJob and emit: this is the hottest loop there
    -- is, and passing arguments on costs as much as a tenth of it.
    local name = ARGV[at + 1]
    call('HSET', key, 'name', name, 'data', ARGV[at + 2], 'opts', set.opts, 'timestamp', set.timestamp,
      'delay', set.delay, 'priority', set.priority)
    call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
    if set.wait > 0 then
      local due = tonumber(set.timestamp) + set.wait
      delayed[#delayed + 1] = delayedScore(q, due)
      delayed[#delayed + 1] = id
      emit(q, 'delayed', 'jobId', id, 'delay', due)
    else
      if set.rank > 0 then
        prioritized[#prioritized + 1] = set.rank
        prioritized[#prioritized + 1] = id
      elseif set.lifo then
        lifo[#lifo + 1] = id
      else
        waiting[#waiting + 1] = id
      end
      call('XADD', events, '*', 'event', 'waiting', 'jobId', id)
    end
  end
  at = at + 3
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

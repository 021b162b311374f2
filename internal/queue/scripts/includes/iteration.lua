-- The jobs that schedulers make, one at a time (wire section 7.2).
-- @include enqueue
-- @include store
-- @include removal

local function msText(ms)
  return string.format('%.0f', ms)
end

-- What an iteration is made from: 8 arguments from ARGV[at] on.
-- head: its id without the time. quoted: that as JSON without the closing quote.
-- opts: a JSON object with at least one field; the fields that depend on the time
-- are added to it. pattern: prevMillis is one of them.
local function readTemplate(at)
  local head, quoted = ARGV[at + 3], ARGV[at + 4]
  return {
    name = ARGV[at], data = ARGV[at + 1], opts = ARGV[at + 2], head = head, quoted = quoted,
    priority = tonumber(ARGV[at + 5]), deid = ARGV[at + 6],
    lifo = string.find(ARGV[at + 7], 'lifo', 1, true) ~= nil,
    pattern = string.find(ARGV[at + 7], 'pattern', 1, true) ~= nil,
  }
end

local function isTaken(q, template, due)
  return call('EXISTS', q.base .. template.head .. msText(due)) == 1
end

-- The first time from due on at which no job stands, of at most 33; own is a
-- time whose job does not count, or nil. Returns nil when all are taken.
local function freeTime(q, template, due, every, own)
  for _ = 0, 32 do
    if due == own or not isTaken(q, template, due) then
      return due
    end
    due = due + every
  end
end

-- Adds the iteration of a time that is free. Returns its state.
local function addIteration(q, scheduler, template, due, now)
  local ms, delay = msText(due), math.max(0, due - now)
  local id = template.head .. ms
  local opts = string.sub(template.opts, 1, -2) .. ',"delay":' .. msText(delay) .. ',"jobId":' .. template.quoted .. ms ..
    '"' .. (template.pattern and ',"prevMillis":' .. ms or '') .. '}'
  countOn(q.base .. 'id', 1)
  local extra = { 'rjk', scheduler }
  if template.deid ~= '' then
    extra = { 'rjk', scheduler, 'deid', template.deid }
  end
  storeJob(q, q.base .. id, id, template.name, template.data, opts, now, delay, template.priority, unpack(extra))
  if delay > 0 then
    enqueueDelayed(q, id, now + delay)
    wakeForDelayed(q)
    return 'delayed'
  end
  enqueue(q, id, template.priority, template.lifo and 'RPUSH' or 'LPUSH')
  wake(q)
  emit(q, 'waiting', 'jobId', id)
  return template.priority > 0 and 'prioritized' or 'waiting'
end

-- Where an iteration stands that has not started; nil when it is nowhere, or
-- has. BullMQ 6 looks for those of a paused queue in `paused` alone, and 5 keeps
-- them there: both lists count.
local function placeOf(q, id)
  if call('EXISTS', q.base .. id) == 0 then
    return nil
  end
  for _, name in ipairs({ 'delayed', 'prioritized' }) do
    if call('ZSCORE', q.base .. name, id) then
      return name
    end
  end
  if call('ZSCORE', q.base .. 'completed', id) or call('ZSCORE', q.base .. 'failed', id) then
    return nil
  end
  for _, name in ipairs({ 'wait', 'paused' }) do
    if call('LPOS', q.base .. name, id) then
      return name
    end
  end
end

-- Deletes an iteration from the place where it stands.
local function takeAway(q, id, place)
  if place == 'wait' or place == 'paused' then
    call('LREM', q.base .. place, 1, id)
  else
    call('ZREM', q.base .. place, id)
  end
  erase(q, { inspect(q, id) }, true)
end

-- The most list entries that are looked through for the state of an iteration.
local farEnough = 10000

-- Where an iteration is. A job that is not finished and in no set stands in a
-- list: one that is too long to be looked through is believed to hold it.
-- Returns the state, '' for a job that stands nowhere, nil when there is none.
local function iterationState(q, id)
  local key = q.base .. id
  local there = try('HLEN', key)
  if type(there) ~= 'number' or there == 0 then
    return nil
  end
  for _, name in ipairs({ 'completed', 'failed', 'delayed', 'prioritized', 'waiting-children' }) do
    if call('ZSCORE', q.base .. name, id) then
      return name
    end
  end
  if call('EXISTS', key .. ':lock') == 1 or call('LPOS', q.active, id, 'MAXLEN', farEnough) then
    return 'active'
  end
  local length = call('LLEN', q.active)
  for _, name in ipairs({ 'wait', 'paused' }) do
    if call('LPOS', q.base .. name, id, 'MAXLEN', farEnough) then
      return 'waiting'
    end
    length = math.max(length, call('LLEN', q.base .. name))
  end
  return length > farEnough and 'waiting' or ''
end

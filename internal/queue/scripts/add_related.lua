-- Adds jobs that others matter to: children of jobs that exist or come in the
-- same call, parents that wait for children, deduplicated jobs. They may lie in
-- several queues of one slot.
-- KEYS: 1 key base of one of the queues, with its final colon
-- ARGV: 1 now (ms)  2 'flow' to store all or nothing, else each by itself, until
--       one is refused  3 number of key bases, then these, then 15 for each job:
--       number of its base (from 1)  id or ''  name  data  opts  timestamp (ms)
--       delay (ms)  priority  kind: 'l' LIFO, 'p' waits for children, or ''
--       number of its parent's base or ''  parent's id  parent field
--       deduplication id or ''  its ttl (ms) or ''  its flags: e extend, r
--       replace, k keep last if active, s reschedule
--       In a flow every job has an id, parents come before their children, and
--       nothing is deduplicated
-- Returns: {answers, code, position, detail}: an answer per job, {'', id} added |
--       {'d', id} it existed | {'k', owner} deduplicated | {'r', id, id that gave
--       way}; code 0, or why the job at the position (from 1) was refused, and
--       with it all after it, in a flow all before it too: -5 no such parent | -7
--       it has another parent: the detail | -23 its key, or its parent's, is no
--       job | -24 it would wait for itself | -25 its deduplication key holds no id
-- Events: added, waiting, delayed, waiting-children, duplicated, debounced,
--       deduplicated, removed
-- @include guard
-- @include many
-- @include store
-- @include deduplicate
local now, flow = tonumber(ARGV[1]), ARGV[2] == 'flow'
local fields = 15

local queues, at = {}, 4
for i = 1, tonumber(ARGV[3]) do
  local base = ARGV[at]
  local wrong = guard(base, 'meta id wait paused active prioritized delayed waiting-children completed marker pc events repeat')
  if wrong then
    return wrong
  end
  queues[i] = openQueue(base)
  queues[i].added = { waiting = {}, lifo = {}, prioritized = {}, delayed = {}, parents = {} }
  openedQueues[base] = queues[i]
  at = at + 1
end

local function readJobAt(i)
  local parentQueue = queues[tonumber(ARGV[i + 9])]
  return {
    q = queues[tonumber(ARGV[i])], id = ARGV[i + 1], name = ARGV[i + 2], data = ARGV[i + 3], opts = ARGV[i + 4],
    timestamp = ARGV[i + 5], delay = ARGV[i + 6], priority = ARGV[i + 7], kind = ARGV[i + 8],
    parentQueue = parentQueue, parentID = ARGV[i + 10], parent = ARGV[i + 11],
    parentKey = parentQueue and parentQueue.base .. ARGV[i + 10],
    deid = ARGV[i + 12] ~= '' and ARGV[i + 12] or nil, ttl = tonumber(ARGV[i + 13]), flags = ARGV[i + 14],
  }
end

-- Checks. Jobs of a flow that are checked already count as stored.
local planned, plannedParents, fit = {}, {}, {}

-- Whether what hangs on a parent can take a child.
local function recordsFit(key)
  for suffix, kind in pairs({ dependencies = 'set', processed = 'hash' }) do
    local found = call('TYPE', key .. ':' .. suffix).ok
    if found ~= 'none' and found ~= kind then
      return false
    end
  end
  return true
end

local function checkParent(key)
  if fit[key] == nil then
    local kind = call('TYPE', key).ok
    if kind == 'none' and not planned[key] then
      return -5
    end
    fit[key] = (kind == 'hash' or kind == 'none') and recordsFit(key)
  end
  return fit[key] and 0 or -23
end

-- Whether an old job stands above the parent that it is to get.
local function isAbove(key, parentKey)
  for _ = 1, 1000 do
    if not parentKey or parentKey == key then
      break
    end
    local above = plannedParents[parentKey] or try('HGET', parentKey, 'parentKey')
    parentKey = type(above) == 'string' and above or nil
  end
  return parentKey == key
end

-- Whether an old job can become a child. Returns its parent with the code -7.
local function checkAttach(job)
  local old = try('HGET', job.key, 'parentKey')
  if type(old) == 'table' then
    return -23
  end
  -- In Redis Cluster the old parent may lie out of reach: then it counts.
  if old and old ~= job.parentKey and try('EXISTS', old) ~= 0 then
    return -7, old
  end
  return isAbove(job.key, job.parentKey) and -24 or 0
end

-- Stores.
local children, released = {}, {}

local function attach(job)
  if call('ZSCORE', job.q.base .. 'completed', job.id) then
    call('HSET', job.parentKey .. ':processed', job.key, call('HGET', job.key, 'returnvalue') or 'null')
    released[#released + 1] = job
  else
    call('SADD', job.parentKey .. ':dependencies', job.key)
  end
  call('HSET', job.key, 'parentKey', job.parentKey, 'parent', job.parent)
end

-- Puts a stored job where its kind belongs; flush does so with many at a time.
local function place(job)
  local q, id, delay, priority = job.q, job.id, tonumber(job.delay), tonumber(job.priority)
  local list, score
  if job.kind == 'p' then
    list, score = q.added.parents, job.timestamp
    emit(q, 'waiting-children', 'jobId', id)
  elseif delay > 0 then
    local due = tonumber(job.timestamp) + delay
    list, score = q.added.delayed, delayedScore(q, due)
    emit(q, 'delayed', 'jobId', id, 'delay', due)
  else
    if priority > 0 then
      list, score = q.added.prioritized, priority
    else
      list = job.kind == 'l' and q.added.lifo or q.added.waiting
    end
    emit(q, 'waiting', 'jobId', id)
  end
  list[#list + 1] = score or id
  if score then
    list[#list + 1] = id
  end
end

local function flush(q)
  local a = q.added
  if #a.parents > 0 then
    many('ZADD', q.base .. 'waiting-children', a.parents)
  end
  if #a.delayed > 0 then
    many('ZADD', q.delayed, a.delayed)
    wakeForDelayed(q)
  end
  if #a.prioritized > 0 then
    local order = countOn(q.base .. 'pc', #a.prioritized / 2)
    for i = 1, #a.prioritized, 2 do
      order = order + 1
      a.prioritized[i] = a.prioritized[i] * 4294967296 + order % 4294967296
    end
    many('ZADD', q.prioritized, a.prioritized)
  end
  if #a.waiting > 0 then
    many('LPUSH', target(q), a.waiting)
  end
  if #a.lifo > 0 then
    many('RPUSH', target(q), a.lifo)
  end
  if #a.waiting + #a.lifo + #a.prioritized > 0 then
    wake(q)
  end
  q.added = { waiting = {}, lifo = {}, prioritized = {}, delayed = {}, parents = {} }
end

local function flushAll()
  for _, q in ipairs(queues) do
    flush(q)
  end
  for parentKey, keys in pairs(children) do
    many('SADD', parentKey .. ':dependencies', keys)
  end
  children = {}
  for _, job in ipairs(released) do
    if call('SCARD', job.parentKey .. ':dependencies') == 0 then
      releaseIfWaiting(job.parentQueue, job.parentID, now)
    end
  end
  released = {}
end

local function store(job)
  local q = job.q
  q.used = true
  if job.old then
    if job.parentKey then
      attach(job)
    end
    emit(q, 'duplicated', 'jobId', job.id)
    return { 'd', job.id }
  end
  if job.parentKey then
    storeJob(q, job.key, job.id, job.name, job.data, job.opts, job.timestamp, job.delay, job.priority,
      'parentKey', job.parentKey, 'parent', job.parent)
    local keys = children[job.parentKey] or {}
    children[job.parentKey] = keys
    keys[#keys + 1] = job.key
  elseif job.deid then
    storeJob(q, job.key, job.id, job.name, job.data, job.opts, job.timestamp, job.delay, job.priority, 'deid', job.deid)
  else
    storeJob(q, job.key, job.id, job.name, job.data, job.opts, job.timestamp, job.delay, job.priority)
  end
  place(job)
  return { '', job.id }
end

local function nameAll(jobs)
  local keys, anyOld = {}, false
  for i, job in ipairs(jobs) do
    job.key = job.q.base .. job.id
    keys[i] = job.key
  end
  for i = 1, #keys, 1000 do
    anyOld = anyOld or call('EXISTS', unpack(keys, i, math.min(i + 999, #keys))) > 0
  end
  return anyOld
end

-- A flow: everything is checked before the first write.
local function addFlow(jobs)
  local anyOld = nameAll(jobs)
  for i, job in ipairs(jobs) do
    local code, detail = 0, nil
    if job.parentKey then
      code = checkParent(job.parentKey)
    end
    if code == 0 and anyOld and call('EXISTS', job.key) == 1 then
      job.old = true
      if call('TYPE', job.key).ok ~= 'hash' then
        code = -23
      elseif job.parentKey then
        code, detail = checkAttach(job)
      end
    end
    if code ~= 0 then
      return {}, code, i, detail
    end
    planned[job.key], plannedParents[job.key] = true, job.parentKey
    job.q.count = (job.q.count or 0) + 1
  end
  for _, q in ipairs(queues) do
    if q.count then
      call('INCRBY', q.base .. 'id', q.count)
    end
  end
  local answers = {}
  for i, job in ipairs(jobs) do
    answers[i] = store(job)
  end
  return answers, 0, 0
end

-- Wire section 3.1: the counter moves for every add, own id or not. One that
-- was lost or set back would hand out ids of existing jobs; it is moved on in
-- growing steps.
local function takeID(job)
  local q = job.q
  local n, step = call('INCR', q.base .. 'id'), 1
  if job.id ~= '' then
    return
  end
  while call('EXISTS', q.base .. string.format('%.0f', n)) == 1 do
    step = step * 2
    n = call('INCRBY', q.base .. 'id', step)
  end
  job.id = string.format('%.0f', n)
end

-- A long list is read once instead of walked over for each job.
local asked, actives = 0, nil
local function isActive(q, id)
  asked = asked + 1
  if asked <= 4 then
    return call('LPOS', q.active, id) and true or false
  end
  if not actives then
    actives = {}
    for _, active in ipairs(call('LRANGE', q.active, 0, -1)) do
      actives[active] = true
    end
  end
  return actives[id] or false
end

-- Returns an answer, or nil and why the job is refused.
local function addOne(job)
  if job.parentKey then
    local code = checkParent(job.parentKey)
    if code ~= 0 then
      return nil, code
    end
  end
  takeID(job)
  local q = job.q
  job.key = q.base .. job.id
  job.old = call('EXISTS', job.key) == 1
  if job.old and job.parentKey then
    local code, detail = checkAttach(job)
    if code ~= 0 then
      return nil, code, detail
    end
  end
  local owner, gone
  if job.deid and not job.old then
    q.used = true
    flush(q)
    owner, gone = deduplicate(job, function(id) return isActive(q, id) end, now)
    if owner == notText then
      return nil, notText
    elseif owner then
      return { 'k', owner }
    end
  end
  local answer = store(job)
  if #released > 0 then
    flushAll()
  end
  return gone and { 'r', job.id, gone } or answer
end

local jobs, answers, code, position, detail = {}, {}, 0, 0, nil
for i = at, #ARGV, fields do
  jobs[#jobs + 1] = readJobAt(i)
end
if flow then
  answers, code, position, detail = addFlow(jobs)
else
  for i, job in ipairs(jobs) do
    local answer
    answer, code, detail = addOne(job)
    if not answer then
      position = i
      break
    end
    answers[i], code = answer, 0
  end
end
if code == 0 or not flow then
  flushAll()
  for _, q in ipairs(queues) do
    if q.used then
      trimEvents(q)
    end
  end
end
return { answers, code, position, detail or '' }

-- Removes jobs wherever they are, or those in one state, alone or with their
-- children. Works until its budget is used up; the caller asks again.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 the state's key, or '' for any  2 '1' to remove children too, or ''
--       3 most steps over list entries  4 most jobs and children to look at
--       then job ids
-- Returns: a code for each job that the budget allowed, at least one: 0 removed
--       | 1 part of its children removed, ask again | -1 no such job | -3 not
--       in that state | -8 the next one of a scheduler | -20 it or a child is
--       locked
-- Events: removed, waiting (a parent that is released)
-- @include guard
-- @include removal
local structures = 'meta wait paused active prioritized delayed waiting-children completed failed marker pc events' ..
  ' stalled repeat qctl:corrupt'
local base, state = KEYS[1], ARGV[1]
local steps, room = tonumber(ARGV[3]), tonumber(ARGV[4])
local wrong = guard(base, structures)
if wrong then
  return wrong
end
local q = openQueue(base)

-- Every queue that children lie in, by key base; false for an unusable one.
local queues = { [base] = q }

local function queueOf(otherBase)
  if queues[otherBase] == nil then
    queues[otherBase] = not guard(otherBase, structures) and openQueue(otherBase)
  end
  return queues[otherBase]
end

local sets = { 'completed', 'waiting-children', 'delayed', 'failed', 'prioritized' }
local lists = { 'wait', 'paused', 'active' }

local function inSet(p, id)
  for _, name in ipairs(sets) do
    if call('ZSCORE', p.base .. name, id) then
      return name
    end
  end
end

local function outOfList(p, names, id)
  for _, name in ipairs(names) do
    steps = steps - call('LLEN', p.base .. name)
    if call('LREM', p.base .. name, 1, id) == 1 then
      return name
    end
  end
end

-- Takes a job out of where it is, and returns the name of that key.
local function takeOut(p, id, only)
  if only == '' then
    local set = inSet(p, id)
    if set then
      call('ZREM', p.base .. set, id)
      return set
    end
    return outOfList(p, lists, id)
  end
  if only == 'wait' or only == 'active' then
    -- Spares the walk over a list for the many that have moved on.
    if inSet(p, id) then
      return nil
    end
    return outOfList(p, only == 'wait' and { 'wait', 'paused' } or { only }, id)
  end
  return call('ZREM', p.base .. only, id) == 1 and only or nil
end

local function refusal(p, job)
  if isNextIteration(p, job) then
    return -8
  end
  return isLocked(p, job) and -20 or 0
end

-- Returns 0, -1 or -3; job has passed refusal.
local function remove(p, job, only)
  local from = takeOut(p, job.id, only)
  if not from and only ~= '' then
    return job.ownsKeys and -3 or -1
  end
  local aside = call('ZREM', p.base .. 'qctl:corrupt', job.id) == 1
  if job.corrupt and not from and not aside then
    return -1
  end
  if from == 'active' then
    call('SREM', p.stalled, job.id)
  end
  local deleted = erase(p, { job }, false)
  if from == 'active' and p.concurrency then
    wake(p)
  end
  if deleted > 0 then
    emit(p, 'removed', 'jobId', job.id, 'prev', from or 'unknown')
    p.emitted = true
  end
  return (from or aside or deleted > 0) and 0 or -1
end

-- Where a child lies: BullMQ splits its key at the last colon. Ids with colons
-- are tried as ids of this queue.
local function placeOf(childKey)
  local childBase, id = string.match(childKey, '^(.*:)([^:]+)$')
  if childBase and childBase ~= base and string.sub(childKey, 1, #base) == base
    and redis.pcall('EXISTS', childBase .. 'meta') == 0 then
    childBase, id = base, string.sub(childKey, #base + 1)
  end
  return childBase, id
end

-- The child behind a key that a parent's records name. It must name the parent
-- too, or a forged record would reach any key.
local function childOf(childKey, parentKey)
  local childBase, id = placeOf(childKey)
  -- In a cluster another queue may lie on another node, out of reach.
  if not childBase or type(redis.pcall('EXISTS', childKey)) ~= 'number' then
    return nil
  end
  local p = queueOf(childBase)
  local job = p and inspect(p, id)
  if not job or job.corrupt or job.parentKey ~= parentKey then
    return nil
  end
  return p, job
end

-- A parent's records of its children. The pending ones come last: while one of
-- them is left the parent cannot run.
local records = {
  { ':processed', 'HDEL', function(key, n) return redis.pcall('HRANDFIELD', key, n) end },
  { ':failed', 'HDEL', function(key, n) return redis.pcall('HRANDFIELD', key, n) end },
  { ':unsuccessful', 'ZREM', function(key, n) return redis.pcall('ZRANGE', key, 0, n - 1) end },
  { ':dependencies', 'SREM', function(key, n) return redis.pcall('SRANDMEMBER', key, n) end },
}

-- Plans the removal of a job's descendants and then of the job, each child
-- before its parent, so that any beginning of the plan may be carried out.
-- Returns 0, 1 when there was no room for all, or what refusal says.
local function plan(p, job, todo, seen, depth)
  local key = p.base .. job.id
  seen[key] = true
  local code = refusal(p, job)
  if code ~= 0 then
    return code
  end
  for _, record in ipairs(depth < 100 and not job.corrupt and records or {}) do
    for _, childKey in ipairs(record[3](key .. record[1], room + 1)) do
      if room == 0 then
        return 1
      end
      room = room - 1
      local childQueue, child = childOf(childKey, key)
      if child and not seen[childKey] then
        code = plan(childQueue, child, todo, seen, depth + 1)
        if code ~= 0 then
          return code
        end
      end
      todo[#todo + 1] = { command = record[2], key = key .. record[1], member = childKey }
    end
  end
  todo[#todo + 1] = { queue = p, job = job }
  return 0
end

local function removeFamily(job)
  local todo = {}
  local code = plan(q, job, todo, {}, 0)
  if code < 0 then
    return code
  end
  for i, step in ipairs(todo) do
    if step.command then
      call(step.command, step.key, step.member)
    elseif step.job == job then
      code = remove(q, job, state)
    else
      -- Its parent goes too and must not be released.
      step.job.parentKey = nil
      remove(step.queue, step.job, '')
      if steps <= 0 then
        return 1
      end
    end
  end
  return code
end

local codes = {}
for i = 5, #ARGV do
  local job, code = inspect(q, ARGV[i])
  if ARGV[2] == '1' then
    code = removeFamily(job)
  else
    room = room - 1
    code = refusal(q, job)
    if code == 0 then
      code = remove(q, job, state)
    end
  end
  codes[#codes + 1] = code
  if steps <= 0 or room <= 0 or code == 1 then
    break
  end
end
for _, p in pairs(queues) do
  if p and p.emitted then
    trimEvents(p)
  end
end
return codes

-- Removes jobs wherever they are, alone or with their children.
-- @include guard
-- @include removal
local structures = 'meta wait paused active prioritized delayed waiting-children completed failed marker pc events' ..
  ' stalled repeat qctl:corrupt'
-- What a call may still do: steps over list entries, jobs and children to look
-- at. The script sets both.
local steps, room

-- Every queue that the call works in, by key base; false for an unusable one.
local queues = {}

local function queueOf(base)
  if queues[base] == nil then
    queues[base] = not guard(base, structures) and openQueue(base)
  end
  return queues[base]
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
-- are tried as ids of its parent's queue.
local function placeOf(childKey, base)
  local childBase, id = string.match(childKey, '^(.*:)([^:]+)$')
  if childBase and childBase ~= base and string.sub(childKey, 1, #base) == base
    and redis.pcall('EXISTS', childBase .. 'meta') == 0 then
    childBase, id = base, string.sub(childKey, #base + 1)
  end
  return childBase, id
end

-- The child behind a key that a parent's records name. It must name the parent
-- too, or a forged record would reach any key.
local function childOf(childKey, parentQueue, parentKey)
  local childBase, id = placeOf(childKey, parentQueue.base)
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
      local childQueue, child = childOf(childKey, p, key)
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

-- Removes a job with its descendants. only: the key of the one state that it may
-- be in, or ''. Returns 0, 1 when a part of its descendants is gone and there was
-- no room for more, or a code below 0.
local function removeFamily(p, job, only)
  local todo = {}
  local code = plan(p, job, todo, {}, 0)
  if code < 0 then
    return code
  end
  for _, step in ipairs(todo) do
    if step.command then
      call(step.command, step.key, step.member)
    elseif step.job == job then
      code = remove(p, job, only)
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

local function trimEmitted()
  for _, p in pairs(queues) do
    if p and p.emitted then
      trimEvents(p)
    end
  end
end

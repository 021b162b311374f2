-- What a job's end means for its parent (wire sections 4.0, 4.6, 4.16). A
-- parent is touched only when its own set of dependencies names the child, so
-- a forged parentKey reaches nothing.
-- @include enqueue
-- @include guard
-- @include job_keys
local openedQueues = {}

-- The parent's queue and id, or nil when there is no such parent.
local function parentOf(q, parentKey, parentJSON)
  local base, id
  if parentJSON then
    local ok, parent = pcall(cjson.decode, parentJSON)
    if ok and type(parent) == 'table' and type(parent.queueKey) == 'string' and type(parent.id) == 'string' then
      base, id = parent.queueKey .. ':', parent.id
    end
  end
  if not base or base .. id ~= parentKey then
    base, id = string.match(parentKey, '^(.*:)([^:]+)$')
  end
  -- pcall: in Redis Cluster the parent may lie out of reach.
  if not base or redis.pcall('TYPE', parentKey).ok ~= 'hash' then
    return nil
  end
  for suffix, kind in pairs({ dependencies = 'set', processed = 'hash', failed = 'hash', unsuccessful = 'zset' }) do
    local found = call('TYPE', parentKey .. ':' .. suffix).ok
    if found ~= 'none' and found ~= kind then
      return nil
    end
  end
  if openedQueues[base] == nil then
    local usable = not guard(base, 'meta wait paused active prioritized delayed waiting-children marker events')
    openedQueues[base] = usable and (base == q.base and q or openQueue(base)) or false
  end
  if not openedQueues[base] then
    return nil
  end
  return openedQueues[base], id
end

-- Lets a parent that has left waiting-children run.
local function releaseParent(p, id, now)
  local job = call('HMGET', p.base .. id, 'priority', 'delay')
  local priority, delay = tonumber(job[1] or '') or 0, tonumber(job[2] or '') or 0
  if delay > 0 then
    local due = now + delay
    call('ZADD', p.delayed, due * 4096, id)
    emit(p, 'delayed', 'jobId', id, 'delay', due)
    wakeForDelayed(p)
  else
    enqueue(p, id, priority, 'RPUSH')
    wake(p)
    emit(p, 'waiting', 'jobId', id, 'prev', 'waiting-children')
  end
  trimEvents(p)
end

local function releaseIfWaiting(p, id, now)
  if call('ZREM', p.base .. 'waiting-children', id) == 1 then
    releaseParent(p, id, now)
  end
end

local function childCompleted(q, childKey, parentKey, parentJSON, returnvalue, now)
  local p, id = parentOf(q, parentKey, parentJSON)
  if p and call('SREM', parentKey .. ':dependencies', childKey) == 1 then
    call('HSET', parentKey .. ':processed', childKey, returnvalue)
    if call('SCARD', parentKey .. ':dependencies') == 0 then
      releaseIfWaiting(p, id, now)
    end
  end
end

local function parentFailsWith(p, id, childKey, now)
  local key = p.base .. id
  local reason = 'child ' .. childKey .. ' failed'
  if call('ZREM', p.base .. 'waiting-children', id) == 1 then
    call('HSET', key, 'defa', reason)
    releaseParent(p, id, now)
  elseif call('ZREM', p.delayed, id) == 1 then
    call('HSET', key, 'defa', reason, 'delay', 0)
    releaseParent(p, id, now)
  elseif not call('ZSCORE', p.base .. 'failed', id) then
    call('HSET', key, 'defa', reason)
  end
end

local function childFailed(q, childKey, parentKey, parentJSON, reason, now)
  local ok, flags = pcall(cjson.decode, parentJSON or '')
  if not ok or type(flags) ~= 'table' then
    return
  end
  if not (flags.fpof == true or flags.cpof == true or flags.idof == true or flags.rdof == true) then
    return
  end
  local p, id = parentOf(q, parentKey, parentJSON)
  if not p or call('SREM', parentKey .. ':dependencies', childKey) == 0 then
    return
  end
  if flags.fpof == true then
    call('ZADD', parentKey .. ':unsuccessful', now, childKey)
    parentFailsWith(p, id, childKey, now)
    return
  end
  if flags.cpof == true or flags.idof == true then
    call('HSET', parentKey .. ':failed', childKey, reason)
  end
  if flags.cpof == true or call('SCARD', parentKey .. ':dependencies') == 0 then
    releaseIfWaiting(p, id, now)
  end
end

-- Takes a job that is about to be deleted out of its parent. hard: the parent
-- goes too when it waited for nothing else (clean, drain, obliterate); soft:
-- it is released (remove, retention). depth bounds a chain of parents.
local function unref(q, childKey, parentKey, parentJSON, hard, depth)
  local p, id = parentOf(q, parentKey, parentJSON)
  if not p or call('SREM', parentKey .. ':dependencies', childKey) == 0 then
    return
  end
  if call('SCARD', parentKey .. ':dependencies') > 0 or call('ZREM', p.base .. 'waiting-children', id) == 0 then
    return
  end
  if hard and p.base == q.base and (depth or 0) < 100 then
    local parent = call('HMGET', parentKey, 'parentKey', 'parent')
    if parent[1] then
      unref(q, parentKey, parent[1], parent[2], true, (depth or 0) + 1)
    end
    deleteJobs(p.base, { id })
    return
  end
  -- BullMQ forgets the parent's priority here and keeps its delay, and says
  -- nothing of a parent in another queue.
  local job = call('HMGET', parentKey, 'priority', 'delay')
  if (tonumber(job[2] or '') or 0) ~= 0 then
    call('HSET', parentKey, 'delay', 0)
  end
  enqueue(p, id, tonumber(job[1] or '') or 0, 'RPUSH')
  wake(p)
  emit(p, 'waiting', 'jobId', id, 'prev', 'waiting-children')
end

-- Where waiting jobs go, and how sleeping workers hear of them.
-- @include queue
-- @include events

-- The list that takes waiting jobs. BullMQ 5 keeps those of a paused queue in
-- `paused`, BullMQ 6 in `wait`; both are never filled at once, or a resume by
-- version 5 would lose one of them.
local function target(q)
  if not q.target then
    q.target = q.wait
    if q.paused then
      local paused = q.base .. 'paused'
      if call('LLEN', paused) > 0 or (q.v5 and call('LLEN', q.wait) == 0) then
        q.target = paused
      end
    end
  end
  return q.target
end

local function pausedOrMaxed(q)
  return q.paused or (q.concurrency and call('LLEN', q.active) >= q.concurrency) or false
end

-- Wakes one sleeping worker; each claim wakes the next.
local function wake(q)
  if not pausedOrMaxed(q) then
    call('ZADD', q.marker, 0, '0')
  end
end

-- Tells sleeping workers when the earliest delayed job is due.
local function wakeForDelayed(q)
  local first = call('ZRANGE', q.delayed, 0, 0, 'WITHSCORES')
  if first[2] then
    call('ZADD', q.marker, tonumber(first[2]) / 4096, '1')
  end
end

-- Counts on by n and returns the count before. A counter that holds no number
-- starts again: an error here would come after other writes.
local function countOn(key, n)
  local last = redis.pcall('INCRBY', key, n)
  if type(last) ~= 'number' then
    call('DEL', key)
    last = call('INCRBY', key, n)
  end
  return last - n
end

-- Wire section 5.2: the counter keeps jobs of one priority in order.
local function priorityScore(q, priority)
  return priority * 4294967296 + (countOn(q.base .. 'pc', 1) + 1) % 4294967296
end

-- Wire section 5.1: jobs due in the same millisecond keep their order.
-- q.delayedScores spares the look-up for the rest of a batch.
local function delayedScore(q, due)
  local low = due * 4096
  local scores = q.delayedScores or {}
  q.delayedScores = scores
  local last = scores[due]
  if not last then
    local top = call('ZREVRANGEBYSCORE', q.delayed, low + 4095, low, 'WITHSCORES', 'LIMIT', 0, 1)
    last = top[2] and tonumber(top[2])
  end
  local score = last and math.min(last + 1, low + 4095) or low
  scores[due] = score
  return score
end

-- Puts one job among the waiting ones; the caller wakes workers afterwards.
-- push: 'LPUSH' for the back of the line, 'RPUSH' for its front.
local function enqueue(q, id, priority, push)
  if priority > 0 then
    call('ZADD', q.prioritized, priorityScore(q, priority), id)
  else
    call(push, target(q), id)
  end
end

-- Delays one job until due (ms); the caller sets the marker afterwards.
local function enqueueDelayed(q, id, due)
  call('ZADD', q.delayed, delayedScore(q, due), id)
  emit(q, 'delayed', 'jobId', id, 'delay', due)
end

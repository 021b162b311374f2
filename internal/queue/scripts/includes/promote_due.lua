-- Moves delayed jobs whose time has come to the waiting ones, at most 1000.
-- Entries whose job is gone are dropped, never turned into empty jobs; entries
-- whose key is not a hash are set aside.
-- Returns the time (ms) at which the next delayed job is due, or 0.
-- @include enqueue
-- @include set_aside
local function promoteDue(q, now)
  local first = call('ZRANGE', q.delayed, 0, 0, 'WITHSCORES')
  if not first[2] then
    return 0
  end
  local limit = (now + 1) * 4096 - 1
  if tonumber(first[2]) > limit then
    return math.floor(tonumber(first[2]) / 4096)
  end
  local ids = call('ZRANGEBYSCORE', q.delayed, '-inf', limit, 'LIMIT', 0, 1000)
  call('ZREMRANGEBYRANK', q.delayed, 0, #ids - 1)
  q.delayedScores = nil
  local woken = false
  for _, id in ipairs(ids) do
    local key = q.base .. id
    local job = redis.pcall('HMGET', key, 'priority', 'name')
    if job.err then
      setAside(q, id, now)
    elseif job[1] or job[2] or call('EXISTS', key) == 1 then
      enqueue(q, id, tonumber(job[1] or '') or 0, 'LPUSH')
      call('HSET', key, 'delay', 0)
      emit(q, 'waiting', 'jobId', id, 'prev', 'delayed')
      woken = true
    end
  end
  if woken then
    wake(q)
  end
  first = call('ZRANGE', q.delayed, 0, 0, 'WITHSCORES')
  return first[2] and math.floor(tonumber(first[2]) / 4096) or 0
end

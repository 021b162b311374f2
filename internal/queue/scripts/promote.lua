-- Makes delayed jobs wait no longer.
-- KEYS: 1 key base with its final colon
-- ARGV: job ids
-- Returns: a code per job: 0 done | -1 no such job | -3 not delayed | -23 its
--       key is no job
-- Events: waiting
-- @include guard
-- @include enqueue
-- @include job
-- @include markers
local base = KEYS[1]
local wrong = guard(base, 'meta wait paused active prioritized delayed marker pc events')
if wrong then
  return wrong
end
local q = openQueue(base)

-- A marker of an old layout that is alone has nothing left to say: a worker of
-- that layout would go to sleep over it instead of taking the job.
local function dropMarker(q)
  local first = call('LINDEX', target(q), 0)
  if first and isMarker(first) then
    call('LPOP', target(q))
  end
end

local function promote(id)
  local job, code = readJob(q, id, 'priority')
  if not job then
    return code
  end
  if call('ZREM', q.delayed, id) == 0 then
    return -3
  end
  local priority = tonumber(job[2] or '') or 0
  if priority <= 0 then
    dropMarker(q)
  end
  enqueue(q, id, priority, 'LPUSH')
  call('HSET', base .. id, 'delay', 0)
  emit(q, 'waiting', 'jobId', id, 'prev', 'delayed')
  return 0
end

local codes, moved = {}, false
for i, id in ipairs(ARGV) do
  codes[i] = promote(id)
  moved = moved or codes[i] == 0
end
if moved then
  wake(q)
  trimEvents(q)
end
return codes

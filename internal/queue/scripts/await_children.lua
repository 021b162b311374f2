-- Puts an active job, proven by its lock token, among those that wait for
-- children.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 job id  3 lock token  4 full key of the only child to wait
--       for, or ''
-- Returns: 0 done | 1 nothing pends: no change | -1 no such job | -2 no lock |
--       -3 not active | -6 lock of another | -9 failed children | -23 its key, or
--       one that hangs on it, is of the wrong type
-- Events: waiting-children
-- @include job
-- @include enqueue
local base, now, id, token, child = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local wrong = guard(base, 'meta active waiting-children marker stalled events')
if wrong then
  return wrong
end
local q = openQueue(base)
local job, code = readJob(q, id)
if not job then
  return code
end
local key = base .. id
for suffix, kind in pairs({ dependencies = 'set', unsuccessful = 'zset', lock = 'string' }) do
  local found = call('TYPE', key .. ':' .. suffix).ok
  if found ~= 'none' and found ~= kind then
    return jobCorrupt
  end
end
if call('ZCARD', key .. ':unsuccessful') > 0 then
  return -9
end
local pending
if child == '' then
  pending = call('SCARD', key .. ':dependencies') > 0
else
  pending = call('SISMEMBER', key .. ':dependencies', child) == 1
end
if not pending then
  return 1
end
local lock = call('GET', key .. ':lock')
if lock ~= token then
  return lock and -6 or -2
end
-- As with every outcome, the lock goes also when the job was not active.
call('DEL', key .. ':lock')
call('SREM', q.stalled, id)
if call('LREM', q.active, -1, id) == 0 then
  return -3
end
call('ZADD', base .. 'waiting-children', now, id)
emit(q, 'waiting-children', 'jobId', id, 'prev', 'active')
if q.concurrency then
  wake(q)
end
trimEvents(q)
return 0

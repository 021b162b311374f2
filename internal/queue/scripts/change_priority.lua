-- Gives a job another priority. One that waits changes its place: to the end
-- of the jobs of its new priority, or to their front.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id  2 priority  3 '1' for the front, or ''
-- Returns: 0 done | -1 no such job | -23 its key is no job
-- Events: none
-- @include guard
-- @include enqueue
-- @include job
local base, id, priority, front = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local wrong = guard(base, 'meta wait paused active prioritized marker pc')
if wrong then
  return wrong
end
local q = openQueue(base)
local job, code = readJob(q, id)
if not job then
  return code
end

-- The hash first: an out-of-memory refusal must not come between the steps.
call('HSET', base .. id, 'priority', priority)
local waits = call('ZREM', q.prioritized, id) == 1 or call('LREM', q.wait, -1, id) == 1
  or call('LREM', base .. 'paused', -1, id) == 1
if waits then
  if priority > 0 and front then
    call('ZADD', q.prioritized, priority * 4294967296, id)
  else
    enqueue(q, id, priority, front and 'RPUSH' or 'LPUSH')
  end
  wake(q)
end
return 0

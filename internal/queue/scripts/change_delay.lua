-- Delays a delayed job anew, counted from now.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id  2 now (ms)  3 delay (ms)
-- Returns: 0 done | -1 no such job | -3 not delayed | -23 its key is no job
-- Events: delayed
-- @include guard
-- @include enqueue
-- @include job
local base, id = KEYS[1], ARGV[1]
local wrong = guard(base, 'meta delayed marker events')
if wrong then
  return wrong
end
local q = openQueue(base)
local job, code = readJob(q, id)
if not job then
  return code
end
if call('ZREM', q.delayed, id) == 0 then
  return -3
end
call('HSET', base .. id, 'delay', ARGV[3])
enqueueDelayed(q, id, tonumber(ARGV[2]) + tonumber(ARGV[3]))
wakeForDelayed(q)
trimEvents(q)
return 0

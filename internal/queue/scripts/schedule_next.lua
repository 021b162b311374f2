-- Adds the next iteration of a job scheduler, if the current one is the one
-- that the caller has seen start.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 scheduler id  3 current iteration (ms)  4 next (ms)
--       5 name  6 data  7 opts  8 priority  9 lifo ('1' or '')
-- Returns: 1 added | 0 the scheduler has moved on or is gone
-- Events: added, waiting or delayed; duplicated
-- @include guard
-- @include enqueue
-- @include store
local base, scheduler = KEYS[1], ARGV[2]
local wrong = guard(base, 'meta id wait paused active prioritized delayed marker pc events repeat')
if wrong then
  return wrong
end
local score = call('ZSCORE', base .. 'repeat', scheduler)
if not score or tonumber(score) ~= tonumber(ARGV[3]) then
  return 0
end
local now, due, priority = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[8])
local q = openQueue(base)
local id = 'repeat:' .. scheduler .. ':' .. ARGV[4]
if call('EXISTS', base .. id) == 1 then
  emit(q, 'duplicated', 'jobId', id)
  return 0
end
call('ZADD', base .. 'repeat', due, scheduler)
redis.pcall('HINCRBY', base .. 'repeat:' .. scheduler, 'ic', 1)
countOn(base .. 'id', 1)
local delay = math.max(0, due - now)
storeJob(q, base .. id, id, ARGV[5], ARGV[6], ARGV[7], now, delay, priority, 'rjk', scheduler)
if delay > 0 then
  enqueueDelayed(q, id, now + delay)
  wakeForDelayed(q)
else
  enqueue(q, id, priority, ARGV[9] == '1' and 'RPUSH' or 'LPUSH')
  wake(q)
  emit(q, 'waiting', 'jobId', id)
end
trimEvents(q)
return 1

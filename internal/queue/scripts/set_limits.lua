-- Sets or removes limits of the whole queue, and wakes workers that may start
-- more jobs now.
-- KEYS: 1 key base with its final colon
-- ARGV: 2 per limit: field of meta  value, or '' to remove it
-- Returns: 0
-- Events: none
-- @include guard
-- @include enqueue
local base = KEYS[1]
local wrong = guard(base, 'meta wait paused active prioritized marker')
if wrong then
  return wrong
end
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', base .. 'meta', ARGV[i])
  else
    redis.call('HSET', base .. 'meta', ARGV[i], ARGV[i + 1])
  end
end
local q = openQueue(base)
if call('LLEN', q.wait) + call('ZCARD', q.prioritized) > 0 then
  wake(q)
end
return 0

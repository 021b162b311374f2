-- Sets the marker when jobs wait, so that a sleeping worker looks again.
-- KEYS: 1 key base with its final colon
-- ARGV: none
-- Returns: 1
-- Events: none
-- @include guard
-- @include enqueue
local wrong = guard(KEYS[1], 'meta wait active prioritized delayed marker')
if wrong then
  return wrong
end
local q = openQueue(KEYS[1])
if call('LLEN', q.wait) + call('ZCARD', q.prioritized) > 0 then
  wake(q)
end
wakeForDelayed(q)
return 1

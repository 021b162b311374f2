-- Resumes a queue. Jobs in `paused` go in front of those in `wait`.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 '1' for the first call of a resume, or ''  2 most jobs to move, when
--       they cannot be moved as a whole
-- Returns: jobs still to be moved
-- Events: resumed, in the last call
-- @include guard
-- @include enqueue
-- @include many
local base, first = KEYS[1], ARGV[1] == '1'
local wrong = guard(base, 'meta wait paused prioritized delayed marker events')
if wrong then
  return wrong
end
local q = openQueue(base)
if first then
  call('HDEL', base .. 'meta', 'paused')
elseif q.paused then
  return 0
end
local paused = base .. 'paused'
if call('EXISTS', paused) == 1 then
  if call('EXISTS', q.wait) == 0 then
    call('RENAME', paused, q.wait)
  else
    many('RPUSH', q.wait, call('LPOP', paused, ARGV[2]))
  end
end
local left = call('LLEN', paused)
if left > 0 then
  return left
end
if call('LLEN', q.wait) + call('ZCARD', q.prioritized) > 0 then
  call('ZADD', q.marker, 0, '0')
else
  wakeForDelayed(q)
end
emit(q, 'resumed')
trimEvents(q)
return 0

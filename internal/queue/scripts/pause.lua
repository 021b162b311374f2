-- Pauses a queue: no worker claims from it any more. Where BullMQ 5 runs the
-- queue, waiting jobs go to the list in which it looks for them.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 '1' for the first call of a pause, or ''  2 most jobs to move, when
--       they cannot be moved as a whole
-- Returns: jobs still to be moved
-- Events: paused
-- @include guard
-- @include queue
-- @include events
-- @include many
local base, first = KEYS[1], ARGV[1] == '1'
local wrong = guard(base, 'meta wait paused marker events')
if wrong then
  return wrong
end
local q = openQueue(base)
if not first and not q.paused then
  return 0
end
if first then
  -- A deletion first: a Redis out of memory lets a script go on that has
  -- begun, and a full Redis is a reason to pause.
  call('DEL', q.marker)
  call('HSET', base .. 'meta', 'paused', 1)
  emit(q, 'paused')
  trimEvents(q)
end
local paused = base .. 'paused'
if not q.v5 or call('EXISTS', q.wait) == 0 then
  return 0
end
if call('EXISTS', paused) == 0 then
  call('RENAME', q.wait, paused)
  return 0
end
-- Jobs that are in `paused` already have waited longer and stay in front.
many('LPUSH', paused, call('RPOP', q.wait, ARGV[2]))
return call('LLEN', q.wait)

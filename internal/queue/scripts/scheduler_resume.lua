-- Puts a paused scheduler back with its next iteration.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 scheduler id  3 fence or 0  4 what was kept of it
--       5 every (ms), or ''  6 next time (ms) of a pattern, or ''  7 offset (ms)
--       8 time (ms) of the iteration when it was paused  9 '1' if that was taken
--       out and comes back
--       10 to 17 what the iteration is made from, see iteration.lua
--       then fields and values of the record
-- Returns: {time of the iteration, its state, ''} | {time, '', '1'} a scheduler of
--       this id exists, what was kept is dropped | 0 something else is kept
--       | -10 and -11 the time has a job | -24 fenced
-- Events: added, waiting or delayed
-- @include guard
-- @include every
-- @include fence
-- @include iteration
local base, scheduler, now = KEYS[1], ARGV[2], tonumber(ARGV[1])
local wrong = guard(base, 'meta id wait paused active prioritized delayed marker pc events repeat qctl:paused-schedules')
if wrong then
  return wrong
end
if isFenced(base, tonumber(ARGV[3])) then
  return fencedOff
end
local kept = base .. 'qctl:paused-schedules'
local live = call('ZSCORE', base .. 'repeat', scheduler)
if live then
  call('HDEL', kept, scheduler)
  return { msText(tonumber(live)), '', '1' }
end
if call('HGET', kept, scheduler) ~= ARGV[4] then
  return 0
end
local q, template = openQueue(base), readTemplate(10)
local every, due, prev = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
if ARGV[9] == '1' and prev >= now then
  due = prev
elseif every then
  due = nextEvery(prev, every, now, tonumber(ARGV[7]))
end
if every then
  due = freeTime(q, template, due, every)
  if not due then
    return -11
  end
elseif isTaken(q, template, due) then
  return -10
end
call('HDEL', kept, scheduler)
call('ZADD', base .. 'repeat', due, scheduler)
call('HSET', base .. 'repeat:' .. scheduler, unpack(ARGV, 18))
local state = addIteration(q, scheduler, template, due, now)
trimEvents(q)
return { msText(due), state, '' }

-- Makes a job scheduler of a legacy repeatable: its iteration is replaced if it
-- has not started, else followed.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 id of the repeatable  3 fence or 0  4 its current iteration
--       (ms)  5 what the ids of its iterations begin with  6 id of the scheduler
--       7 '1' if the caller expects to replace the iteration
--       8 every (ms), or ''  9 offset (ms)  10 next time (ms) of a pattern, or ''
--       when it has none
--       11 to 18 what the iteration is made from, see iteration.lua
--       then fields and values of the record
-- Returns: {time of the iteration, its state, '1'} | 0 has moved on | 1 the
--       iteration can be replaced and was not to be, 2 the reverse | -1 no such
--       repeatable | -10 and -11 the time has a job | -24 fenced | -26 the
--       scheduler's id is taken
-- Events: removed, added, waiting or delayed
-- @include guard
-- @include every
-- @include fence
-- @include iteration
local base, old, new, now = KEYS[1], ARGV[2], ARGV[6], tonumber(ARGV[1])
local wrong = guard(base, 'meta id wait paused active prioritized delayed completed failed marker pc events repeat stalled' ..
  ' qctl:paused-schedules')
if wrong then
  return wrong
end
local prev = tonumber(call('ZSCORE', base .. 'repeat', old) or '')
if not prev then
  return -1
end
if call('ZSCORE', base .. 'repeat', new) or call('HEXISTS', base .. 'qctl:paused-schedules', new) == 1 then
  return -26
end
if isFenced(base, tonumber(ARGV[3])) then
  return fencedOff
end
if prev ~= tonumber(ARGV[4]) then
  return 0
end
local q, template = openQueue(base), readTemplate(11)
local current = ARGV[5] .. msText(prev)
local place = placeOf(q, current)
if (place ~= nil) ~= (ARGV[7] == '1') then
  return place and 1 or 2
end
local every, due = tonumber(ARGV[8]), prev
if not place then
  due = every and nextEvery(prev, every, now, tonumber(ARGV[9])) or tonumber(ARGV[10])
end
if not due then
  return 0
end
if every then
  due = freeTime(q, template, due, every)
  if not due then
    return -11
  end
elseif isTaken(q, template, due) then
  return -10
end

if place then
  takeAway(q, current, place)
  emit(q, 'removed', 'jobId', current, 'prev', place)
end
call('ZREM', base .. 'repeat', old)
call('DEL', base .. 'repeat:' .. old)
call('ZADD', base .. 'repeat', due, new)
call('HSET', base .. 'repeat:' .. new, 'offset', every and offsetIn(due, every) or 0, unpack(ARGV, 19))
local state = addIteration(q, new, template, due, now)
trimEvents(q)
return { msText(due), state, '1' }

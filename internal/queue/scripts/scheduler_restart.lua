-- Gives a scheduler its next iteration again whose current one is missing or
-- finished. An iteration that has been lost from every list is put back.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 scheduler id  3 fence or 0  4 current iteration (ms) as
--       the caller saw it  5 every (ms), or ''  6 offset (ms)
--       7 latest time (ms) of a pattern that was missed, or ''
--       8 next time (ms) of a pattern, or '' when it has none
--       9 to 16 what the iteration is made from, see iteration.lua
--       then fields and values of the record, in case it is missing
-- Returns: 1 done | 0 it has not stopped, or is gone, or fires no more
--       | -10 and -11 the time has a job | -24 fenced
-- Events: added, waiting or delayed
-- @include guard
-- @include every
-- @include fence
-- @include iteration
local base, scheduler, now = KEYS[1], ARGV[2], tonumber(ARGV[1])
local wrong = guard(base, 'meta id wait paused active prioritized delayed completed failed waiting-children marker pc events repeat')
if wrong then
  return wrong
end
if isFenced(base, tonumber(ARGV[3])) then
  return fencedOff
end
local prev = tonumber(call('ZSCORE', base .. 'repeat', scheduler) or '')
if not prev or prev ~= tonumber(ARGV[4]) then
  return 0
end
local q, template = openQueue(base), readTemplate(9)
local current = template.head .. msText(prev)
local state = iterationState(q, current)
if state == '' then
  if prev > now then
    enqueueDelayed(q, current, prev)
    wakeForDelayed(q)
  else
    enqueue(q, current, tonumber(try('HGET', base .. current, 'priority') or '') or 0, 'LPUSH')
    wake(q)
    emit(q, 'waiting', 'jobId', current)
  end
  trimEvents(q)
  return 1
end
if state and state ~= 'completed' and state ~= 'failed' then
  return 0
end

local every, missed, due = tonumber(ARGV[5]), tonumber(ARGV[7]), tonumber(ARGV[8])
if not state and prev > now then
  due = prev -- lost before its time: it has not run
elseif every then
  due = freeTime(q, template, latestEvery(prev, every, now, tonumber(ARGV[6])), every)
  if not due then
    return -11
  end
elseif missed and not isTaken(q, template, missed) then
  due = missed
elseif not due then
  return 0
elseif isTaken(q, template, due) then
  return -10
end
call('ZADD', base .. 'repeat', due, scheduler)
local recordKey = base .. 'repeat:' .. scheduler
if call('EXISTS', recordKey) == 0 and #ARGV > 16 then
  call('HSET', recordKey, unpack(ARGV, 17))
end
try('HINCRBY', recordKey, 'ic', 1)
addIteration(q, scheduler, template, due, now)
trimEvents(q)
return 1

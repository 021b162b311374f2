-- Creates or changes a job scheduler (wire section 7.3). Everything is checked
-- before anything is written: BullMQ removes the current iteration first and
-- leaves a scheduler without one when it then fails.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 scheduler id  3 fence or 0  4 every (ms), or ''
--       5 first time (ms) of a pattern, or ''  6 offset (ms), or 0
--       7 start (ms), or ''
--       8 to 15 what the iteration is made from, see iteration.lua
--       then fields and values of the record
-- Returns: {time of the iteration, its state, '1' if the scheduler existed} |
--       -10 the time has a job | -11 this time and the next 32 have | -24 fenced
-- Events: added, waiting or delayed
-- @include guard
-- @include every
-- @include fence
-- @include iteration
local base, scheduler, now = KEYS[1], ARGV[2], tonumber(ARGV[1])
local wrong = guard(base, 'meta id wait paused active prioritized delayed completed failed marker pc events repeat stalled' ..
  ' qctl:paused-schedules')
if wrong then
  return wrong
end
if isFenced(base, tonumber(ARGV[3])) then
  return fencedOff
end
local q, template = openQueue(base), readTemplate(8)
local every, offset, start = tonumber(ARGV[4]), tonumber(ARGV[6]), tonumber(ARGV[7])
local recordKey = base .. 'repeat:' .. scheduler
local record = try('HMGET', recordKey, 'every', 'offset', 'ic')
local prev = tonumber(call('ZSCORE', base .. 'repeat', scheduler) or '')
local current = prev and template.head .. msText(prev)
local place = prev and placeOf(q, current)

local due
if every then
  local known = prev and tonumber(record[1] or '') == every and prev or nil
  due = known and place and prev or nextEvery(known, every, now, offset, start)
  due = freeTime(q, template, due, every, place and prev)
  if not due then
    return -11
  end
else
  due = tonumber(ARGV[5])
  if not (place and due == prev) and isTaken(q, template, due) then
    return -10
  end
end
if offset == 0 then
  offset = place and tonumber(record[2] or '') or every and offsetIn(due, every) or 0
end

if place then
  takeAway(q, current, place)
end
call('DEL', recordKey)
call('HDEL', base .. 'qctl:paused-schedules', scheduler)
call('ZADD', base .. 'repeat', due, scheduler)
call('HSET', recordKey, 'ic', tonumber(record[3] or '') or 1, 'offset', offset, unpack(ARGV, 16))
local state = addIteration(q, scheduler, template, due, now)
trimEvents(q)
return { msText(due), state, prev and '1' or '' }

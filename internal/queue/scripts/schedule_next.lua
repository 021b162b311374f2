-- Adds the next iteration of a job scheduler, if the current one is the one
-- that the caller has seen start.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 scheduler id  3 current iteration (ms)  4 next (ms) of a
--       pattern, or ''  5 every (ms) and 6 offset, if the record has none
--       7 to 14 what the iteration is made from, see iteration.lua
--       then fields and values of the record, in case it is missing
-- Returns: 1 added | 0 the scheduler has moved on or is gone
-- Events: added, waiting or delayed; duplicated
-- @include guard
-- @include every
-- @include iteration
local base, scheduler = KEYS[1], ARGV[2]
local wrong = guard(base, 'meta id wait paused active prioritized delayed marker pc events repeat')
if wrong then
  return wrong
end
local score = tonumber(call('ZSCORE', base .. 'repeat', scheduler) or '')
if not score or score ~= tonumber(ARGV[3]) then
  return 0
end
local now, template = tonumber(ARGV[1]), readTemplate(7)
local q = openQueue(base)
local recordKey = base .. 'repeat:' .. scheduler
local record = try('HMGET', recordKey, 'every', 'offset', 'name', 'data')
local due = tonumber(ARGV[4])
if not due then
  local every = tonumber(record[1] or '') or 0
  every = every > 0 and every or tonumber(ARGV[5])
  due = nextEvery(score, every, now, tonumber(record[2] or '') or tonumber(ARGV[6]))
end
if isTaken(q, template, due) then
  emit(q, 'duplicated', 'jobId', template.head .. msText(due))
  trimEvents(q)
  return 0
end
call('ZADD', base .. 'repeat', due, scheduler)
-- The oldest repeatables have no record, and are no longer found when they get
-- one.
if template.head == 'repeat:' .. scheduler .. ':' and not record.err then
  if not record[3] and #ARGV > 14 then
    call('HSET', recordKey, unpack(ARGV, 15))
  elseif not record[4] and template.data ~= '{}' then
    -- BullMQ 6 would go on with no data.
    call('HSET', recordKey, 'data', template.data)
  end
  try('HINCRBY', recordKey, 'ic', 1)
end
addIteration(q, scheduler, template, due, now)
trimEvents(q)
return 1

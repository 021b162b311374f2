-- Removes a job scheduler with its delayed iteration (wire section 7.6), or
-- takes it out in the same way and keeps its record.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 'remove' or 'pause'  2 scheduler id  3 fence or 0
--       4 what the ids of iterations begin with when there is no record, or ''
--       5 now (ms)
-- Returns: 1 done | 0 is paused already | -1 no such scheduler | -24 fenced
--       | -25 pause: it is no job scheduler
-- Events: removed
-- @include guard
-- @include fence
-- @include iteration
local base, scheduler = KEYS[1], ARGV[2]
local wrong = guard(base, 'meta delayed marker events repeat qctl:paused-schedules')
if wrong then
  return wrong
end
local kept, recordKey = base .. 'qctl:paused-schedules', base .. 'repeat:' .. scheduler
local score = tonumber(call('ZSCORE', base .. 'repeat', scheduler) or '')
local isKept = call('HEXISTS', kept, scheduler) == 1
-- A record that nothing points to; the iterations of another scheduler have
-- names that look like records, too.
local isStray = not score and type(try('HGET', recordKey, 'ic')) == 'string'
if not (score or isKept or isStray) then
  return -1
end
if isFenced(base, tonumber(ARGV[3])) then
  return fencedOff
end

-- HGETALL and HMGET as a table, without the fields that are not there.
local function fieldsOf(key)
  local flat, fields = try('HGETALL', key), {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

local q = openQueue(base)
local record = fieldsOf(recordKey)
local head = next(record) == nil and ARGV[4] ~= '' and ARGV[4] or 'repeat:' .. scheduler .. ':'
local current = score and head .. msText(score)
local isDelayed = current and call('ZSCORE', q.delayed, current) ~= false
if ARGV[1] == 'pause' then
  if not score then
    return 0
  end
  if not (record.ic and record.offset) then
    return -25
  end
  local job = try('HMGET', base .. current, 'opts', 'timestamp')
  call('HSET', kept, scheduler, cjson.encode({
    record = record, score = msText(score), opts = job[1] or nil, last = job[2] or nil,
    delayed = isDelayed and '1' or '', at = ARGV[5],
  }))
else
  call('HDEL', kept, scheduler)
end
if isDelayed then
  takeAway(q, current, 'delayed')
  emit(q, 'removed', 'jobId', current, 'prev', 'delayed')
  trimEvents(q)
end
call('ZREM', base .. 'repeat', scheduler)
call('DEL', recordKey)
return 1

-- Reads schedulers by the time of their current iteration, or one by its id.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 first place (from 0)  2 last place, or an id when 1 is ''
--       3 most bytes of a field  then the fields of a record
-- Returns: {how many run, {for each: id, score, kind of the record's key, its
--       values, state of the iteration ('none' without one), values of the
--       iteration: opts timestamp processedOn data name}, {what is kept of the
--       paused ones: id, text}}; the id's alone when one is asked for. A value
--       that is too large is its length.
-- Events: none
-- @include guard
-- @include iteration
local base, limit = KEYS[1], tonumber(ARGV[3])
local wrong = guard(base, 'meta wait paused active prioritized delayed completed failed waiting-children repeat' ..
  ' qctl:paused-schedules')
if wrong then
  return wrong
end
local q = openQueue(base)
local kept = base .. 'qctl:paused-schedules'

local function read(key, names)
  local values = {}
  for i, name in ipairs(names) do
    local length = try('HSTRLEN', key, name)
    if type(length) ~= 'number' then
      values[i] = false
    else
      values[i] = length > limit and length or call('HGET', key, name)
    end
  end
  return values
end

local recordFields = {}
for i = 4, #ARGV do
  recordFields[i - 3] = ARGV[i]
end
local jobFields = { 'opts', 'timestamp', 'processedOn', 'data', 'name' }

local function describe(id, score)
  local recordKey = base .. 'repeat:' .. id
  local current = 'repeat:' .. id .. ':' .. msText(tonumber(score) or 0)
  local state = iterationState(q, current)
  return { id, score, call('TYPE', recordKey).ok, read(recordKey, recordFields), state or 'none',
    state and read(base .. current, jobFields) or {} }
end

local rows, paused = {}, {}
if ARGV[1] == '' then
  local score = call('ZSCORE', base .. 'repeat', ARGV[2])
  if score then
    rows[1] = describe(ARGV[2], score)
  else
    local text = call('HGET', kept, ARGV[2])
    paused = text and { ARGV[2], text } or {}
  end
else
  local window = call('ZRANGE', base .. 'repeat', ARGV[1], ARGV[2], 'WITHSCORES')
  for i = 1, #window, 2 do
    rows[#rows + 1] = describe(window[i], window[i + 1])
  end
  local all = call('HGETALL', kept)
  for i = 1, #all, 2 do
    if not call('ZSCORE', base .. 'repeat', all[i]) then
      paused[#paused + 1] = all[i]
      paused[#paused + 1] = all[i + 1]
    end
  end
end
return { call('ZCARD', base .. 'repeat'), rows, paused }

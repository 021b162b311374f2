-- Reads chosen fields of many jobs, and where the jobs are. What is longer than
-- a limit is measured and not read, so that no field costs memory by its size.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 limit of a field (bytes)  2 limit of the reply (bytes)  3 '1' to look
--       for the states  4 number of fields  then the fields, then the job ids
-- Returns: for the first ids, one at least, {state or '', type of the job's key,
--       values}; a value is a text, the size of one above the limit, or nil.
--       Answers are fewer than ids when the reply grows too large or long
--       lists have to be searched
-- Events: none
-- @include guard
-- @include states
local base, limit, room, wantStates = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local fields = {}
for i = 1, tonumber(ARGV[4]) do
  fields[i] = ARGV[4 + i]
end

local function readFields(key)
  local sizes, cut = {}, false
  for i, field in ipairs(fields) do
    sizes[i] = redis.call('HSTRLEN', key, field)
    if sizes[i] > limit then
      cut = true
    else
      room = room - sizes[i]
    end
  end
  if not cut then
    return redis.call('HMGET', key, unpack(fields))
  end
  local values = {}
  for i, field in ipairs(fields) do
    values[i] = sizes[i] > limit and sizes[i] or redis.call('HGET', key, field)
  end
  return values
end

local answers, steps = {}, 1000000
for i = 5 + #fields, #ARGV do
  local id, state, values = ARGV[i], '', {}
  if wantStates then
    local walked
    state, walked = stateOf(base, id)
    if not state then
      local wrong = guard(base, stateKeys)
      if wrong then
        return wrong
      end
      state = 'unknown'
    end
    steps = steps - walked
  end
  local kind = redis.call('TYPE', base .. id).ok
  if kind == 'hash' and #fields > 0 then
    values = readFields(base .. id)
  end
  answers[#answers + 1] = { state, kind, values }
  if room < 0 or steps < 0 then
    break
  end
end
return answers

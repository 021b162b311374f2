-- Reads why the next failed jobs of a walk failed, and no more than that: the
-- walk of scan_set.lua and the reading of its page in one call.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 page  2 lowest score or '-inf'  3 highest score or '+inf'  4 limit of
--       a field (bytes)  5 limit of the reply (bytes)  6 what is enough of a
--       reason (bytes)  then, after the first page, 7 score and 8 id of the last
--       entry that was visited, 9 score and 10 id of the walk's last entry
-- Returns: {values, score and id of the last entry that was visited, score and
--       id of the walk's last entry}; values are for each job that is there its
--       id, its score, its name and its reason, '' for what it has not or what
--       is above the limit, in one list. The id of the last entry is '' when
--       there are no more
-- Events: none
-- @include guard
-- @include walk
local base, call = KEYS[1], redis.call
local wrong = guard(base, 'failed')
if wrong then
  return wrong
end
local limit, room, enough = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local entries, endScore, endID =
  walk(base .. 'failed', tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[7], ARGV[8], ARGV[9], ARGV[10])

-- What is wanted is a first line without the space before it. A reason is cut
-- where that cannot be changed by it.
local function cut(reason)
  if #reason > enough then
    local text = string.find(reason, '[!-~]')
    if text and text <= enough / 2 and not string.find(string.sub(reason, 1, text - 1), '[^ \t-\r]') then
      return string.sub(reason, 1, enough)
    end
  end
  return reason
end

-- Returns nothing when there is no job.
local function readOdd(key)
  local kind = call('TYPE', key).ok
  if kind ~= 'hash' then
    return kind ~= 'none' and '' or nil, ''
  end
  local name, reason = '', ''
  if call('HSTRLEN', key, 'name') <= limit then
    name = call('HGET', key, 'name') or ''
  end
  if call('HSTRLEN', key, 'failedReason') <= limit then
    reason = call('HGET', key, 'failedReason') or ''
  end
  return name, reason
end

local values, n, score, id = {}, 0, '', ''
for i = 1, #entries, 2 do
  id, score = entries[i], entries[i + 1]
  local key, name, reason = base .. id, nil, nil
  local reasonSize, nameSize = redis.pcall('HSTRLEN', key, 'failedReason'), redis.pcall('HSTRLEN', key, 'name')
  if type(reasonSize) == 'number' and type(nameSize) == 'number' and reasonSize > 0 and reasonSize <= limit and nameSize <= limit then
    local read = call('HMGET', key, 'name', 'failedReason')
    name, reason = read[1] or '', cut(read[2])
  else
    name, reason = readOdd(key)
  end
  if name then
    values[n + 1], values[n + 2], values[n + 3], values[n + 4] = id, score, name, reason
    n = n + 4
    room = room - #id - #name - #reason
    if room < 0 then
      break
    end
  end
end
return { values, score, id, endScore, endID }

-- Reads what parents record of their children: how many there are of each kind,
-- and the first ones.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 most children of one job  2 limit of a value (bytes)  3 limit of the
--       reply (bytes)  then job ids
-- Returns: for the first ids, one at least, {counts, children}: counts of the
--       pending, failed, ignored and processed ones; children, in that order of
--       kinds, are kind (from 1), key and value in turn; a value is a text, its
--       size if it is above the limit, or ''. Answers are fewer than ids when the
--       reply grows too large
-- Events: none
local base, most, limit, room = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local call = redis.call

-- Up to so many keys are read to find the first ones in order; of more, Redis'
-- own order decides.
local sortable, readable = 1000, 10000

local function firstOf(keys, total, n)
  if total <= sortable then
    table.sort(keys)
  end
  local first = {}
  for i = 1, math.min(n, #keys) do
    first[i] = keys[i]
  end
  table.sort(first)
  return first
end

-- Each kind: where it is recorded, its type, how it is counted, its first keys.
local kinds = {
  {
    ':dependencies', 'set', 'SCARD',
    function(key, total, n)
      local keys = total <= readable and call('SMEMBERS', key) or call('SSCAN', key, 0, 'COUNT', n)[2]
      return firstOf(keys, total, n)
    end,
  },
  { ':unsuccessful', 'zset', 'ZCARD', function(key, _, n) return call('ZRANGE', key, 0, n - 1) end },
  {
    ':failed', 'hash', 'HLEN',
    function(key, total, n)
      return firstOf(total <= readable and call('HKEYS', key) or call('HRANDFIELD', key, n), total, n)
    end,
  },
}
kinds[4] = { ':processed', 'hash', 'HLEN', kinds[3][4] }

local function valueOf(key, field)
  local size = call('HSTRLEN', key, field)
  if size > limit then
    return size
  end
  room = room - size
  return call('HGET', key, field) or ''
end

local function read(id)
  local counts, children, left = {}, {}, most
  for i, kind in ipairs(kinds) do
    local key = base .. id .. kind[1]
    local found = call('TYPE', key).ok
    if found ~= 'none' and found ~= kind[2] then
      return redis.error_reply('WRONGTYPE ' .. key .. ' holds a ' .. found .. ', not a ' .. kind[2])
    end
    counts[i] = call(kind[3], key)
    if counts[i] > 0 and left > 0 then
      for _, child in ipairs(kind[4](key, counts[i], left)) do
        local n = #children
        children[n + 1], children[n + 2] = i, child
        children[n + 3] = i > 2 and valueOf(key, child) or ''
        room = room - #child
        left = left - 1
      end
    end
  end
  return { counts, children }
end

local answers = {}
for i = 4, #ARGV do
  local answer = read(ARGV[i])
  if answer.err then
    return answer
  end
  answers[#answers + 1] = answer
  if room < 0 then
    break
  end
end
return answers

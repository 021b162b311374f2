-- Reads the next page of a walk over a sorted set, in the order of scores and
-- ids. The walk keeps its place by score and id, which need not be in the set
-- any more, and ends with the entry that was last when it began.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 set suffix  2 page  3 lowest score or '-inf'  4 highest score or
--       '+inf'  then, after the first page, 5 score and 6 id of the last entry
--       that was returned, 7 score and 8 id of the walk's last entry
-- Returns: {ids, score of the last of them, score and id of the walk's last
--       entry}
-- Events: none
-- @include guard
local key, page, low, high = KEYS[1] .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local wrong = guard(KEYS[1], ARGV[1])
if wrong then
  return wrong
end

-- Compares as sorted sets do. Lua's own comparison follows the server's locale.
local function notAfter(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a <= #b
end

-- Returns how many entries stand up to and including a place in the order.
local function countTo(score, id)
  local own = redis.call('ZSCORE', key, id)
  if own and tonumber(own) == tonumber(score) then
    return redis.call('ZRANK', key, id) + 1
  end
  local from, to = redis.call('ZCOUNT', key, '-inf', '(' .. score), redis.call('ZCOUNT', key, '-inf', score)
  while from < to do
    local middle = math.floor((from + to) / 2)
    if notAfter(redis.call('ZRANGE', key, middle, middle)[1], id) then
      from = middle + 1
    else
      to = middle
    end
  end
  return from
end

local first, endScore, endID
if ARGV[5] then
  first, endScore, endID = countTo(ARGV[5], ARGV[6]), ARGV[7], ARGV[8]
else
  first = low == '-inf' and 0 or redis.call('ZCOUNT', key, '-inf', '(' .. low)
  local last = redis.call('ZREVRANGEBYSCORE', key, high, low, 'WITHSCORES', 'LIMIT', 0, 1)
  if not last[1] then
    return { {}, '', '', '' }
  end
  endScore, endID = last[2], last[1]
end
local stop = math.min(first + page, countTo(endScore, endID))
local ids, score = {}, ''
if first < stop then
  local entries = redis.call('ZRANGE', key, first, stop - 1, 'WITHSCORES')
  for i = 1, #entries, 2 do
    ids[#ids + 1], score = entries[i], entries[i + 1]
  end
end
return { ids, score, endScore, endID }

-- Reads the next entries of a walk over a sorted set, in the order of scores and
-- ids. The walk keeps its place by score and id, which need not be in the set
-- any more, and ends with the entry that was last when it began.
-- key: the set. page: most entries. low, high: scores, or '-inf' and '+inf'.
-- score, id, endScore, endID: where the walk stands and ends, as the page before
-- left them; nil on the first.
-- Returns the entries, each followed by its score, and where the walk ends; the
-- entries are none behind the end.

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
local function countTo(key, score, id)
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

local function walk(key, page, low, high, score, id, endScore, endID)
  local first
  if score then
    first = countTo(key, score, id)
  else
    first = low == '-inf' and 0 or redis.call('ZCOUNT', key, '-inf', '(' .. low)
    local last = redis.call('ZREVRANGEBYSCORE', key, high, low, 'WITHSCORES', 'LIMIT', 0, 1)
    if not last[1] then
      return {}, '', ''
    end
    endScore, endID = last[2], last[1]
  end
  local stop = math.min(first + page, countTo(key, endScore, endID))
  if first >= stop then
    return {}, endScore, endID
  end
  return redis.call('ZRANGE', key, first, stop - 1, 'WITHSCORES'), endScore, endID
end

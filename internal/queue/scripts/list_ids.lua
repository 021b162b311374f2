-- Reads a page of the ids in one list, or in several laid end to end, from
-- either end. A walk that lost its place, because others took ids out, finds it
-- again by the last ids that it left standing.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 list suffixes from left to right  2 'next' (from the right) or
--       'newest' (from the left)  3 entries to skip  4 page  then, for next, the
--       ids before the page, the nearest first
-- Returns: {ids, length of the lists, entries skipped}
-- Events: none
-- @include guard
local base, fromRight, skip, page = KEYS[1], ARGV[2] == 'next', tonumber(ARGV[3]), tonumber(ARGV[4])
local wrong = guard(base, ARGV[1])
if wrong then
  return wrong
end
local lists, total = {}, 0
for name in string.gmatch(ARGV[1], '%S+') do
  local list = { key = base .. name, length = redis.call('LLEN', base .. name) }
  lists[#lists + 1] = list
  total = total + list.length
end

-- Returns the entries first to last, counted from 0 at the far left.
local function slice(first, last)
  local ids, offset = {}, 0
  for _, list in ipairs(lists) do
    local from, to = math.max(first - offset, 0), math.min(last - offset, list.length - 1)
    if from <= to then
      for _, id in ipairs(redis.call('LRANGE', list.key, from, to)) do
        ids[#ids + 1] = id
      end
    end
    offset = offset + list.length
  end
  return ids
end

-- Returns how many entries stand from the far right up to the id, if it is not
-- much deeper than it was.
local function depthOf(id)
  local offset = 0
  for i = #lists, 1, -1 do
    local list = lists[i]
    local at = redis.call('LPOS', list.key, id, 'RANK', -1, 'MAXLEN', skip + 1000)
    if at then
      return offset + list.length - at
    end
    offset = offset + list.length
  end
end

if ARGV[5] and slice(total - skip, total - skip)[1] ~= ARGV[5] then
  local depth
  for i = 5, #ARGV do
    depth = depth or depthOf(ARGV[i])
  end
  skip = depth or 0
end

if not fromRight then
  return { slice(skip, skip + page - 1), total, skip }
end
local last = total - 1 - skip
local ids = slice(math.max(last - page + 1, 0), last)
for i = 1, math.floor(#ids / 2) do
  ids[i], ids[#ids + 1 - i] = ids[#ids + 1 - i], ids[i]
end
return { ids, total, skip }

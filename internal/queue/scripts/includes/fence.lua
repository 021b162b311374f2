-- Whether a leader of a later term has written to the queue; if not, this one
-- has now. fence: the number of the term, 0 for a writer who leads nothing.
local fencedOff = -24

local function isFenced(base, fence)
  if fence == 0 then
    return false
  end
  local key = base .. 'qctl:fence'
  local seen = tonumber(redis.pcall('GET', key)) or 0
  if seen > fence then
    return true
  end
  if seen < fence then
    redis.call('SET', key, fence)
  end
  return false
end

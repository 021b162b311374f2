-- Old layouts put entries `0:…` into the lists of waiting jobs to wake workers.
-- They stand among the next to run; jobs that were pushed in front may stand
-- before them.

local function isMarker(id)
  return string.sub(id, 1, 2) == '0:'
end

-- Returns how many jobs a list of waiting ones holds.
local function countWaiting(base, list)
  local n = redis.call('LLEN', base .. list)
  for _, id in ipairs(redis.call('LRANGE', base .. list, -10, -1)) do
    if isMarker(id) then
      n = n - 1
    end
  end
  return n
end

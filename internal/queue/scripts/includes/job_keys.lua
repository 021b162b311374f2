-- Deletes jobs with everything that hangs on them, except their locks.
local function deleteJobs(base, ids)
  local keys = {}
  for _, id in ipairs(ids) do
    local key = base .. id
    local n = #keys
    keys[n + 1] = key
    keys[n + 2] = key .. ':logs'
    keys[n + 3] = key .. ':dependencies'
    keys[n + 4] = key .. ':processed'
    keys[n + 5] = key .. ':failed'
    keys[n + 6] = key .. ':unsuccessful'
  end
  local deleted = 0
  for i = 1, #keys, 996 do
    deleted = deleted + redis.call('DEL', unpack(keys, i, math.min(i + 995, #keys)))
  end
  return deleted
end

-- Deletes jobs with everything that hangs on them, except their locks. A
-- completed job has no pending and no failed children.
local function deleteJobs(base, ids, completed)
  local keys = {}
  for _, id in ipairs(ids) do
    local key = base .. id
    local n = #keys
    keys[n + 1] = key
    keys[n + 2] = key .. ':logs'
    keys[n + 3] = key .. ':processed'
    keys[n + 4] = key .. ':failed'
    if not completed then
      keys[n + 5] = key .. ':dependencies'
      keys[n + 6] = key .. ':unsuccessful'
    end
  end
  local deleted = 0
  for i = 1, #keys, 996 do
    deleted = deleted + redis.call('UNLINK', unpack(keys, i, math.min(i + 995, #keys)))
  end
  return deleted
end

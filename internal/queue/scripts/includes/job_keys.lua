-- Deletes jobs with everything that hangs on them, except their locks. Even a
-- completed job may have pending children: those that were retried since.
local function deleteJobs(base, ids)
  local keys, n = {}, 0
  for _, id in ipairs(ids) do
    local key = base .. id
    keys[n + 1] = key
    keys[n + 2] = key .. ':logs'
    keys[n + 3] = key .. ':processed'
    keys[n + 4] = key .. ':failed'
    keys[n + 5] = key .. ':dependencies'
    keys[n + 6] = key .. ':unsuccessful'
    n = n + 6
  end
  local deleted = 0
  for i = 1, n, 996 do
    deleted = deleted + redis.call('UNLINK', unpack(keys, i, math.min(i + 995, n)))
  end
  return deleted
end

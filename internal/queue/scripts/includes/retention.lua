-- Keeps the newest finished jobs, by the rule of the job that just finished
-- (wire section 4.7). At most 1000 leave per call and kind of rule: a rule
-- that was tightened catches up over the next finishes, without a long call.
-- keep: table {count, age (s), limit}, each nil when unset.
-- @include parents
-- @include many
local function forget(q, list, ids)
  -- A completed job has left its parent's dependencies already.
  if list == 'failed' then
    for _, id in ipairs(ids) do
      local key = q.base .. id
      local parentKey = redis.pcall('HGET', key, 'parentKey')
      if type(parentKey) == 'string' then
        unref(q, key, parentKey, call('HGET', key, 'parent'), false)
      end
    end
  end
  deleteJobs(q.base, ids)
end

local function retain(q, list, keep, now)
  local key = q.base .. list
  if keep.age then
    local old = call('ZREVRANGEBYSCORE', key, now - keep.age * 1000, '-inf', 'LIMIT', 0, math.min(keep.limit or 1000, 1000))
    if #old > 0 then
      many('ZREM', key, old)
      forget(q, list, old)
    end
  end
  if keep.count then
    local excess = math.min(call('ZCARD', key) - keep.count, 1000)
    if excess > 0 then
      local old = call('ZRANGE', key, 0, excess - 1)
      call('ZREMRANGEBYRANK', key, 0, excess - 1)
      forget(q, list, old)
    end
  end
end

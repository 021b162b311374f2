-- Takes jobs away for good: what remove, clean, drain and obliterate share.
-- @include guard
-- @include parents
-- @include dedup
-- @include job_keys

-- Reads what a removal must know. ownsKeys says whether the keys under this id
-- are a job's: those of the queue, of a scheduler, or hanging on another job
-- must never be deleted for an entry of the same name.
local function inspect(q, id)
  if queueTypes[id] then
    return { id = id }
  end
  local key, hasColon = q.base .. id, string.find(id, ':', 1, true)
  local f = redis.pcall('HMGET', key, 'timestamp', 'processedOn', 'finishedOn', 'rjk', 'deid', 'parentKey', 'parent')
  if f.err then
    return { id = id, corrupt = true, ownsKeys = not hasColon }
  end
  return {
    id = id, timestamp = f[1], processedOn = f[2], finishedOn = f[3], rjk = f[4], deid = f[5],
    parentKey = f[6], parent = f[7],
    ownsKeys = f[1] or f[2] or (not hasColon and call('EXISTS', key) == 1),
  }
end

local function isLocked(q, job)
  return call('EXISTS', q.base .. job.id .. ':lock') == 1
end

-- Whether a scheduler waits for this job: its schedule would end without it.
local function isNextIteration(q, job)
  if not job.rjk then
    return false
  end
  local ms = tonumber(call('ZSCORE', q.base .. 'repeat', job.rjk) or '')
  return ms ~= nil and job.id == 'repeat:' .. job.rjk .. ':' .. string.format('%.0f', ms)
end

-- Deletes jobs that are out of their list or set already. Returns how many
-- keys went.
local function erase(q, jobs, hard)
  local ids = {}
  for _, job in ipairs(jobs) do
    if job.parentKey then
      unref(q, q.base .. job.id, job.parentKey, job.parent, hard)
    end
    if job.deid then
      dropDedup(q, job.id, job.deid)
    end
    if job.ownsKeys then
      ids[#ids + 1] = job.id
    end
  end
  return deleteJobs(q.base, ids)
end

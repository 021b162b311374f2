-- Finds a job by an id that a person may have typed.
-- @include guard
local jobMissing, jobCorrupt = -1, -23

-- Reads a job's fields, its timestamp first. Returns nil and a code when there
-- is no such job, or when its key is no hash. The queue's own keys are not
-- jobs, and neither are the keys that hang on jobs and schedulers: those have
-- a colon and no timestamp.
local function readJob(q, id, ...)
  if queueTypes[id] then
    return nil, jobMissing
  end
  local key = q.base .. id
  local job = redis.pcall('HMGET', key, 'timestamp', ...)
  if job.err then
    return nil, string.find(id, ':', 1, true) and jobMissing or jobCorrupt
  end
  if not job[1] and (string.find(id, ':', 1, true) or redis.call('EXISTS', key) == 0) then
    return nil, jobMissing
  end
  return job
end

-- Reads what tells since when a job has been ready to run.

-- Returns {timestamp, processedOn, opts}, each nil when the job has none or it is
-- longer than the limit (bytes); nil without a job.
local function readReady(key, limit)
  if redis.call('TYPE', key).ok ~= 'hash' then
    return nil
  end
  local job = {}
  for i, field in ipairs({ 'timestamp', 'processedOn', 'opts' }) do
    job[i] = redis.call('HSTRLEN', key, field) <= limit and redis.call('HGET', key, field)
  end
  return job
end

-- Returns the next job to run of a list, and its id; nil when there is none.
-- Entries without a job, and the markers of old layouts, never run.
local function nextInList(base, list, limit)
  local ids = redis.call('LRANGE', base .. list, -10, -1)
  for i = #ids, 1, -1 do
    local job = readReady(base .. ids[i], limit)
    if job then
      return job, ids[i]
    end
  end
end

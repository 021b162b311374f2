-- Finds where a job is, in BullMQ's order (wire section 12.3). A key of the
-- wrong type holds no job: it must not hide a job that stands elsewhere.
local stateKeys = 'completed failed delayed prioritized active wait paused waiting-children'

-- Returns the state, or nil, and how many list entries were walked past.
local function stateOf(base, id)
  for _, name in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
    if type(redis.pcall('ZSCORE', base .. name, id)) == 'string' then
      return name, 0
    end
  end
  local walked = 0
  for _, name in ipairs({ 'active', 'wait', 'paused' }) do
    if type(redis.pcall('LPOS', base .. name, id)) == 'number' then
      return name == 'active' and name or 'waiting', walked + redis.call('LLEN', base .. name)
    end
    local length = redis.pcall('LLEN', base .. name)
    walked = walked + (type(length) == 'number' and length or 0)
  end
  if type(redis.pcall('ZSCORE', base .. 'waiting-children', id)) == 'string' then
    return 'waiting-children', walked
  end
  return nil, walked
end

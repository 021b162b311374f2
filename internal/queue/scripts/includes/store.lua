-- Writes a new job's hash and its `added` event.
-- @include events
local function storeJob(q, key, id, name, data, opts, timestamp, delay, priority, ...)
  redis.call('HSET', key, 'name', name, 'data', data, 'opts', opts,
    'timestamp', timestamp, 'delay', delay, 'priority', priority, ...)
  emit(q, 'added', 'jobId', id, 'name', name)
end

-- Deduplication keys at the end of a job (wire section 3.4).
-- @include enqueue
-- @include store

-- Stores the job that was kept back while this one ran.
local function requeueNext(q, deid, now)
  local nextKey = q.base .. 'dn:' .. deid
  if call('TYPE', nextKey).ok ~= 'hash' then
    return
  end
  local n = call('HMGET', nextKey, 'name', 'data', 'opts', 'jid', 'pk', 'pd', 'pdk', 'rjk')
  local counter = string.format('%.0f', countOn(q.base .. 'id', 1) + 1)
  local id = n[4] or counter
  local ok, opts = pcall(cjson.decode, n[3] or '')
  if not ok or type(opts) ~= 'table' then
    opts = {}
  end
  local de = type(opts.de) == 'table' and opts.de or {}
  if de.keepLastIfActive == true or not tonumber(de.ttl) then
    call('SET', q.base .. 'de:' .. deid, id)
  else
    call('SET', q.base .. 'de:' .. deid, id, 'PX', tonumber(de.ttl))
  end
  local extra = { 'deid', deid }
  for field, value in pairs({ parentKey = n[5], parent = n[6], rjk = n[8] }) do
    if value then
      extra[#extra + 1] = field
      extra[#extra + 1] = value
    end
  end
  local delay, priority = tonumber(opts.delay) or 0, tonumber(opts.priority) or 0
  storeJob(q, q.base .. id, id, n[1] or '', n[2] or '{}', n[3] or '{}', now, delay, priority, unpack(extra))
  if delay > 0 then
    enqueueDelayed(q, id, now + delay)
    wakeForDelayed(q)
  else
    enqueue(q, id, priority, opts.lifo == true and 'RPUSH' or 'LPUSH')
    wake(q)
    emit(q, 'waiting', 'jobId', id)
  end
  if n[7] then
    call('SADD', n[7], q.base .. id)
  end
  call('DEL', nextKey)
end

-- At completion or final failure: a key with a time to live outlives its job.
local function releaseDedup(q, id, deid, now)
  local key = q.base .. 'de:' .. deid
  if redis.pcall('GET', key) == id then
    local ttl = call('PTTL', key)
    if ttl == -1 or ttl == 0 then
      call('DEL', key)
    end
  end
  requeueNext(q, deid, now)
end

-- At removal.
local function dropDedup(q, id, deid)
  local key = q.base .. 'de:' .. deid
  if redis.pcall('GET', key) == id then
    call('DEL', key, q.base .. 'dn:' .. deid)
  end
end

-- Recovers jobs that a stalled check marked and that have no lock, a page of
-- them. The first page of a check claims the check for its interval; the last
-- marks the oldest active jobs as suspects of the next one.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 stalled interval (ms)  3 most stalls allowed
--       4 '1' for the first page  5 most jobs to mark
-- Returns: {recovered ids, of these those that must fail, marked ids left,
--       active jobs left to mark once none of those is}; or,
--       when another worker has checked within the interval, what is left of
--       that (ms) as a negative number, 0 when the key has no end
-- Events: waiting, stalled
-- @include guard
-- @include enqueue
-- @include set_aside
-- @include many
local base, now = KEYS[1], tonumber(ARGV[1])
local wrong = guard(base, 'meta wait paused active prioritized delayed marker events stalled repeat qctl:corrupt')
if wrong then
  return wrong
end
local q = openQueue(base)
if ARGV[4] == '1' and not call('SET', base .. 'stalled-check', now, 'PX', ARGV[2], 'NX') then
  -- 0 is the last part of a millisecond, -1 a key without an end.
  local left = call('PTTL', base .. 'stalled-check')
  return left < 0 and 0 or -math.max(1, left)
end

-- Taking an id out of active costs a walk over the list: a page is as many
-- ids as about a million steps allow.
local page = math.max(1, math.min(500, math.floor(1000000 / (call('LLEN', q.active) + 1))))
local ids = call('SRANDMEMBER', q.stalled, page)
if #ids > 0 then
  call('SREM', q.stalled, unpack(ids))
end
local lockKeys = {}
for i, id in ipairs(ids) do
  lockKeys[i] = base .. id .. ':lock'
end
local locks = #ids > 0 and call('MGET', unpack(lockKeys)) or {}

local function ofLiveScheduler(rjk)
  return rjk and (call('EXISTS', base .. 'repeat:' .. rjk) == 1 or call('ZSCORE', base .. 'repeat', rjk)) and true or false
end

local recovered, failing = {}, {}
local function recover(id)
  local key = base .. id
  local job = redis.pcall('HMGET', key, 'stc', 'rjk', 'name')
  if job.err then
    setAside(q, id, now)
    return
  end
  if not job[1] and not job[3] and call('EXISTS', key) == 0 then
    return
  end
  local stalls = (tonumber(job[1] or '') or 0) + 1
  if stalls > tonumber(ARGV[3]) and not ofLiveScheduler(job[2]) then
    call('HSET', key, 'stc', stalls, 'defa', 'job stalled more than allowable limit')
    failing[#failing + 1] = id
  else
    call('HSET', key, 'stc', stalls)
  end
  -- In front of everything, a prioritized job too, as BullMQ does: it was first
  -- once already.
  call('RPUSH', target(q), id)
  emit(q, 'waiting', 'jobId', id, 'prev', 'active')
  emit(q, 'stalled', 'jobId', id)
  recovered[#recovered + 1] = id
end

for i, id in ipairs(ids) do
  if not locks[i] and call('LREM', q.active, -1, id) == 1 then
    recover(id)
  end
end
if #recovered > 0 then
  wake(q)
end
trimEvents(q)
local left, unmarked = call('SCARD', q.stalled), 0
if left == 0 then
  -- In the same step as the last page, as a check that fits one call is whole.
  local most = tonumber(ARGV[5])
  many('SADD', q.stalled, call('LRANGE', q.active, -most, -1))
  unmarked = math.max(0, call('LLEN', q.active) - most)
end
return { recovered, failing, left, unmarked }

-- Records the outcomes of many active jobs, each proven by its lock token, and
-- claims the next jobs in the same step.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 claim n or 0  3 lock token  4 lock (ms)  5 limiter max
--       or ''  6 limiter duration (ms) or ''  7 worker name or ''
--       8 metrics points or 0  9 number of outcomes  then 8 per outcome:
--       kind  id  token  value  stacktrace or ''  delay (ms)  rule  attempts
--       kinds: c completed (value: return value), f failed for good, r retry
--       now, b retry after delay (values: failed reason), d delayed without
--       using up an attempt, w back to wait likewise
--       rule: for c and f what to keep, '' or count:age:limit, each a number
--       or '-'; for r 'lifo' or ''
-- Returns: {codes, claimed}; a code is 0 done | -1 no such job | -2 no lock |
--       -3 not active | -4 children pending | -6 lock of another | -9 failed
--       children; claimed as claim.lua returns it, or '' without a claim
-- Events: completed, failed, retries-exhausted, delayed, waiting, drained, and
--       those of the parent and of the claim
-- @include guard
-- @include claim
-- @include parents
-- @include dedup
-- @include retention
-- @include metrics
local base, now, stamp, count = KEYS[1], tonumber(ARGV[1]), ARGV[1], tonumber(ARGV[9])
local wrong = guard(base, claimGuard .. ' stalled id completed failed waiting-children metrics:completed' ..
  ' metrics:completed:data metrics:failed metrics:failed:data')
if wrong then
  return wrong
end
local q = openQueue(base)

-- First look at everything, then write.
local outcomes, lockKeys, childKeys = {}, {}, {}
for i = 1, count do
  local a = 10 + (i - 1) * 8
  local o = {
    kind = ARGV[a], id = ARGV[a + 1], token = ARGV[a + 2], value = ARGV[a + 3], stack = ARGV[a + 4],
    delay = tonumber(ARGV[a + 5]) or 0, rule = ARGV[a + 6], attempts = tonumber(ARGV[a + 7]) or 0,
  }
  o.key = base .. o.id
  outcomes[i] = o
  lockKeys[i] = o.key .. ':lock'
  if o.kind == 'c' then
    childKeys[#childKeys + 1] = o.key .. ':dependencies'
    childKeys[#childKeys + 1] = o.key .. ':unsuccessful'
  end
end

local locks = call('MGET', unpack(lockKeys))
local haveChildren = #childKeys > 0 and call('EXISTS', unpack(childKeys)) > 0

local function check(o, lock)
  local job = redis.pcall('HMGET', o.key, 'atm', 'deid', 'parentKey', 'name')
  if job.err then
    return -1
  end
  o.job = job
  if not job[4] and call('EXISTS', o.key) == 0 then
    return -1
  end
  o.atm = (tonumber(job[1] or '') or 0) + 1
  if o.kind == 'c' and haveChildren then
    if redis.pcall('SCARD', o.key .. ':dependencies') ~= 0 then
      return -4
    end
    if redis.pcall('ZCARD', o.key .. ':unsuccessful') ~= 0 then
      return -9
    end
  end
  if o.token ~= '0' and lock ~= o.token then
    return lock and -6 or -2
  end
  return 0
end

local codes, unlocked, finished, anyRetry = {}, {}, {}, false
for i, o in ipairs(outcomes) do
  codes[i] = check(o, locks[i])
  if codes[i] == 0 then
    unlocked[#unlocked + 1] = lockKeys[i]
    finished[#finished + 1] = o.id
    anyRetry = anyRetry or o.kind == 'r'
  end
end
if #unlocked > 0 then
  call('DEL', unpack(unlocked))
  many('SREM', q.stalled, finished)
end
if anyRetry then
  promoteDue(q, now)
end

-- Finished jobs of one kind and rule go out together.
local group, finishedCount = nil, { completed = 0, failed = 0 }
local function flush()
  if group then
    many('ZADD', base .. group.list, group.entries)
    if group.keep then
      retain(q, group.list, group.keep, now)
    end
    group = nil
  end
end

local function parseRule(rule)
  local n, age, limit = string.match(rule, '^([^:]*):([^:]*):([^:]*)$')
  return n and { count = tonumber(n), age = tonumber(age), limit = tonumber(limit) } or nil
end

local function collect(list, o)
  if not group or group.list ~= list or group.rule ~= o.rule then
    flush()
    group = { list = list, rule = o.rule, keep = parseRule(o.rule), entries = {} }
  end
  if group.keep and group.keep.count == 0 then
    return false
  end
  local n = #group.entries
  group.entries[n + 1] = stamp
  group.entries[n + 2] = o.id
  return true
end

local function finish(o)
  local completed = o.kind == 'c'
  local list = completed and 'completed' or 'failed'
  local valueField = completed and 'returnvalue' or 'failedReason'
  local atm = countText(o.atm)
  if o.job[2] then
    releaseDedup(q, o.id, o.job[2], now)
  end
  local parentKey, parentJSON = o.job[3], nil
  if parentKey then
    parentJSON = call('HGET', o.key, 'parent')
    if completed then
      childCompleted(q, o.key, parentKey, parentJSON, o.value, now)
    else
      childFailed(q, o.key, parentKey, parentJSON, o.value, now)
    end
  end
  if collect(list, o) then
    if o.stack ~= '' then
      call('HSET', o.key, valueField, o.value, 'finishedOn', stamp, 'atm', atm, 'stacktrace', o.stack)
    else
      call('HSET', o.key, valueField, o.value, 'finishedOn', stamp, 'atm', atm)
    end
    if not completed then
      call('HDEL', o.key, 'defa')
    end
  else
    if parentKey then
      unref(q, o.key, parentKey, parentJSON, false)
    end
    deleteJobs(base, { o.id })
  end
  emit(q, list, 'jobId', o.id, valueField, o.value, 'prev', 'active')
  if not completed and o.atm >= o.attempts then
    emit(q, 'retries-exhausted', 'jobId', o.id, 'attemptsMade', atm)
  end
  finishedCount[list] = finishedCount[list] + 1
end

local wakeDelayed = false
local function goBack(o)
  local delayed = o.kind == 'b' or o.kind == 'd'
  if o.kind == 'r' or o.kind == 'b' then
    call('HSET', o.key, 'failedReason', o.value, 'stacktrace', o.stack, 'atm', countText(o.atm))
  end
  if delayed then
    call('HSET', o.key, 'delay', o.delay)
    enqueueDelayed(q, o.id, now + o.delay)
    wakeDelayed = true
    return
  end
  local priority = tonumber(call('HGET', o.key, 'priority') or '') or 0
  if o.kind == 'r' then
    enqueue(q, o.id, priority, o.rule == 'lifo' and 'RPUSH' or 'LPUSH')
    wake(q)
  elseif priority > 0 then
    call('ZADD', q.prioritized, priority * 4294967296, o.id)
  else
    call('RPUSH', target(q), o.id)
    wake(q)
  end
  emit(q, 'waiting', 'jobId', o.id, 'prev', 'active')
end

for i, o in ipairs(outcomes) do
  if codes[i] == 0 then
    if call('LREM', q.active, -1, o.id) == 0 then
      codes[i] = -3
    elseif o.kind == 'c' or o.kind == 'f' then
      finish(o)
    else
      goBack(o)
    end
  end
end
flush()
local points = tonumber(ARGV[8])
if points > 0 then
  for list, n in pairs(finishedCount) do
    if n > 0 then
      countFinished(q, list, n, points, now)
    end
  end
end

local claimed = ''
local n = tonumber(ARGV[2])
if n > 0 then
  claimed = claim(q, {
    now = now, stamp = stamp, n = n, token = ARGV[3], lock = ARGV[4],
    max = tonumber(ARGV[5]), duration = tonumber(ARGV[6]), worker = ARGV[7],
  })
end
if wakeDelayed and (n == 0 or #claimed[1] == 0) then
  wakeForDelayed(q)
end
if finishedCount.completed + finishedCount.failed > 0 then
  local silent = n > 0 and (#claimed[1] > 0 or claimed[3] > 0 or claimed[4] ~= '')
  if not silent and call('LLEN', q.wait) == 0 and call('LLEN', q.active) == 0 and call('ZCARD', q.prioritized) == 0 then
    emit(q, 'drained')
  end
end
trimEvents(q)
return { codes, claimed }

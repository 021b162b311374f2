-- Records the outcomes of many active jobs, each proven by its lock token, and
-- claims the next jobs in the same step.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 claim n or 0  3 lock token  4 lock (ms)  5 limiter max
--       or ''  6 limiter duration (ms) or ''  7 worker name or ''
--       8 metrics points or 0  9 number of outcomes  then per outcome: kind  id
--       token, and by kind:
--       c completed: return value  rule  known
--       f failed for good: reason  rule  known  stacktrace  attempts
--       r retry now, b retry after a delay: reason  stacktrace  'lifo' or delay
--       d delayed without using up an attempt: delay;  w back to wait likewise
--       rule: what to keep, '' or count:age:limit, each a number or '-'; known:
--       attempts made so far of a job that has neither parent nor
--       deduplication id and cannot be given one, which spares reading it, or ''
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
-- @include leave_active
-- @include metrics
local base, now, stamp, count = KEYS[1], tonumber(ARGV[1]), ARGV[1], tonumber(ARGV[9])
local points = tonumber(ARGV[8])

-- How many arguments an outcome has.
local lengths = { c = 6, f = 8, r = 6, b = 6, d = 4, w = 3 }

-- First look at everything, then write.
local keys, lockKeys, childKeys, knownKeys = {}, {}, {}, {}
local argsOf = {} -- where the arguments of each outcome begin
local lists = { completed = 0, failed = 0 }
local a = 10
for i = 1, count do
  local kind, key = ARGV[a], base .. ARGV[a + 1]
  argsOf[i] = a
  keys[i] = key
  lockKeys[i] = key .. ':lock'
  if kind == 'c' or kind == 'f' then
    local n = #childKeys
    childKeys[n + 1] = key .. ':dependencies'
    childKeys[n + 2] = key .. ':unsuccessful'
    lists[kind == 'c' and 'completed' or 'failed'] = 1
  end
  if (kind == 'c' or kind == 'f') and ARGV[a + 5] ~= '' then
    knownKeys[#knownKeys + 1] = key
  end
  a = a + lengths[kind]
end

local guarded = claimGuard .. ' stalled'
for list, used in pairs(lists) do
  if used == 1 then
    guarded = guarded .. ' ' .. list
    if points > 0 then
      guarded = guarded .. ' metrics:' .. list .. ' metrics:' .. list .. ':data'
    end
  end
end
local wrong = guard(base, guarded)
if wrong then
  return wrong
end
local q = openQueue(base)
local locks = call('MGET', unpack(lockKeys))
local haveChildren = #childKeys > 0 and call('EXISTS', unpack(childKeys)) > 0

local allKnownExist = #knownKeys == 0 or call('EXISTS', unpack(knownKeys)) == #knownKeys

-- Returns the fields atm deid parentKey of a job, or nil.
local function read(i)
  local a, key = argsOf[i], keys[i]
  local known = (ARGV[a] == 'c' or ARGV[a] == 'f') and ARGV[a + 5]
  if known and known ~= '' then
    if allKnownExist or call('EXISTS', key) == 1 then
      return { known, false, false }
    end
    return nil
  end
  local job = redis.pcall('HMGET', key, 'atm', 'deid', 'parentKey', 'name')
  if job.err or (not job[4] and call('EXISTS', key) == 0) then
    return nil
  end
  return job
end

local function check(i)
  local a, key = argsOf[i], keys[i]
  local job = read(i)
  if not job then
    return -1
  end
  if haveChildren and ARGV[a] == 'c' then
    if redis.pcall('SCARD', key .. ':dependencies') ~= 0 then
      return -4
    end
    if redis.pcall('ZCARD', key .. ':unsuccessful') ~= 0 then
      return -9
    end
  end
  local token = ARGV[a + 2]
  if locks[i] ~= token and token ~= '0' then
    return locks[i] and -6 or -2
  end
  return 0, job
end

local codes, jobs, unlocked, settled, anyRetry = {}, {}, {}, {}, false
for i = 1, count do
  local a = argsOf[i]
  codes[i], jobs[i] = check(i)
  if codes[i] == 0 then
    local n = #unlocked + 1
    unlocked[n] = lockKeys[i]
    settled[n] = ARGV[a + 1]
    anyRetry = anyRetry or ARGV[a] == 'r'
  end
end
if #unlocked > 0 then
  call('DEL', unpack(unlocked))
  many('SREM', q.stalled, settled)
end
if anyRetry then
  promoteDue(q, now)
end

-- Finished jobs of one kind and rule go out together.
local group, finished = nil, { completed = 0, failed = 0 }
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

-- Returns false for a job that is to go at once: its rule concerns no other.
local function collect(list, id, rule)
  if string.sub(rule, 1, 2) == '0:' then
    return false
  end
  if not group or group.list ~= list or group.rule ~= rule then
    flush()
    group = { list = list, rule = rule, keep = parseRule(rule), entries = {} }
  end
  local entries = group.entries
  local n = #entries
  entries[n + 1] = stamp
  entries[n + 2] = id
  return true
end

local function attemptsMade(job)
  return (tonumber(job[1] or '') or 0) + 1
end

local function finish(i)
  local a, key, job = argsOf[i], keys[i], jobs[i]
  local id, value = ARGV[a + 1], ARGV[a + 3]
  local completed = ARGV[a] == 'c'
  local list = completed and 'completed' or 'failed'
  local valueField = completed and 'returnvalue' or 'failedReason'
  local atm = attemptsMade(job)
  local parentKey, parentJSON = job[3], nil
  if job[2] then
    releaseDedup(q, id, job[2], now)
  end
  if parentKey then
    parentJSON = call('HGET', key, 'parent')
    if completed then
      childCompleted(q, key, parentKey, parentJSON, value, now)
    else
      childFailed(q, key, parentKey, parentJSON, value, now)
    end
  end
  if collect(list, id, ARGV[a + 4]) then
    if completed then
      redis.pcall('HSET', key, valueField, value, 'finishedOn', stamp, 'atm', countText(atm))
    else
      redis.pcall('HSET', key, valueField, value, 'finishedOn', stamp, 'atm', countText(atm), 'stacktrace', ARGV[a + 6])
      -- Besides what the claim saw, only a failed child sets it.
      if haveChildren or ARGV[a + 5] == '' then
        redis.pcall('HDEL', key, 'defa')
      end
    end
  else
    if parentKey then
      unref(q, key, parentKey, parentJSON, false)
    end
    deleteJobs(base, { id })
  end
  call('XADD', q.events, '*', 'event', list, 'jobId', id, valueField, value, 'prev', 'active')
  if not completed and atm >= (tonumber(ARGV[a + 7]) or 0) then
    emit(q, 'retries-exhausted', 'jobId', id, 'attemptsMade', countText(atm))
  end
  finished[list] = finished[list] + 1
end

local wakeDelayed = false
local function goBack(i)
  local a, key = argsOf[i], keys[i]
  local kind, id = ARGV[a], ARGV[a + 1]
  if kind == 'r' or kind == 'b' then
    call('HSET', key, 'failedReason', ARGV[a + 3], 'stacktrace', ARGV[a + 4], 'atm', countText(attemptsMade(jobs[i])))
  end
  local delay = kind == 'b' and ARGV[a + 5] or kind == 'd' and ARGV[a + 3]
  if delay then
    call('HSET', key, 'delay', delay)
    enqueueDelayed(q, id, now + tonumber(delay))
    wakeDelayed = true
    return
  end
  local priority = tonumber(call('HGET', key, 'priority') or '') or 0
  if kind == 'r' then
    enqueue(q, id, priority, ARGV[a + 5] == 'lifo' and 'RPUSH' or 'LPUSH')
  elseif priority > 0 then
    call('ZADD', q.prioritized, priority * 4294967296, id)
  else
    call('RPUSH', target(q), id)
  end
  wake(q)
  emit(q, 'waiting', 'jobId', id, 'prev', 'active')
end

local left = leaveActive(q, settled)
for i = 1, count do
  if codes[i] == 0 then
    local a = argsOf[i]
    if not left[ARGV[a + 1]] then
      codes[i] = -3
    elseif ARGV[a] == 'c' or ARGV[a] == 'f' then
      finish(i)
    else
      goBack(i)
    end
  end
end
flush()
if points > 0 then
  for list, n in pairs(finished) do
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
if finished.completed + finished.failed > 0 then
  local silent = n > 0 and (#claimed[1] > 0 or claimed[3] > 0 or claimed[4] ~= '')
  if not silent and call('LLEN', q.wait) == 0 and call('LLEN', q.active) == 0 and call('ZCARD', q.prioritized) == 0 then
    emit(q, 'drained')
  end
end
trimEvents(q)
return { codes, claimed }

-- Records the outcomes of many active jobs, each proven by its lock token, and
-- claims the next jobs in the same step.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 claim n or 0  3 lock token  4 lock (ms)  5 limiter max
--       or ''  6 limiter duration (ms) or ''  7 worker name or ''
--       8 metrics points or 0  9 number of outcomes  10 number of terms, then 6
--       for each: kind  token  rule  made  stacktrace  more; then 3 per outcome:
--       number of its terms (from 1)  id  value
--       kind: c completed, the value is the return value; f failed for good, r
--       retry now, b retry after a delay: the value is the reason, more the
--       attempts allowed, 'lifo' or the delay (ms); d delayed without using up an
--       attempt, more is the delay; w back to wait likewise
--       rule: what to keep, '' or count:age:limit, each a number or '-'; made:
--       attempts made, this one counted, of a job that has neither parent nor
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

-- First look at everything, then write.
-- Most outcomes of a batch share their terms, by number.
local terms, at = {}, 11
for i = 1, tonumber(ARGV[10]) do
  local kind = ARGV[at]
  terms[tostring(i)] = {
    kind = kind, token = ARGV[at + 1], rule = ARGV[at + 2], made = ARGV[at + 3], stacktrace = ARGV[at + 4],
    more = ARGV[at + 5], ends = kind == 'c' or kind == 'f', plain = ARGV[at + 3] ~= '',
  }
  at = at + 6
end

local termsOf, ids, values, keys, lockKeys, childKeys, plainKeys = {}, {}, {}, {}, {}, {}, {}
local ends = { completed = 0, failed = 0 }
for i = 1, count do
  local t, id = terms[ARGV[at]], ARGV[at + 1]
  local key = base .. id
  termsOf[i], ids[i], values[i], keys[i] = t, id, ARGV[at + 2], key
  lockKeys[i] = key .. ':lock'
  if t.kind == 'c' then
    local n = #childKeys
    childKeys[n + 1] = key .. ':dependencies'
    childKeys[n + 2] = key .. ':unsuccessful'
    ends.completed = ends.completed + 1
  elseif t.kind == 'f' then
    ends.failed = ends.failed + 1
  end
  if t.plain then
    plainKeys[#plainKeys + 1] = key
  end
  at = at + 3
end

local guarded = claimGuard .. ' stalled'
for list, n in pairs(ends) do
  if n > 0 then
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
local allPlainExist = #plainKeys == 0 or call('EXISTS', unpack(plainKeys)) == #plainKeys

-- What settling needs of each job: attempts made with this one, as text, and
-- for those that had to be read, the rest.
local made, deids, parentKeys = {}, {}, {}

-- Reads a job; returns false when there is none.
local function read(i, key)
  local job = try('HMGET', key, 'atm', 'deid', 'parentKey', 'name')
  if job.err or (not job[4] and call('EXISTS', key) == 0) then
    return false
  end
  made[i] = countText((tonumber(job[1] or '') or 0) + 1)
  deids[i], parentKeys[i] = job[2] or nil, job[3] or nil
  return true
end

local function check(i)
  local t, key = termsOf[i], keys[i]
  if t.plain then
    if not allPlainExist and call('EXISTS', key) == 0 then
      return -1
    end
    made[i] = t.made
  elseif not read(i, key) then
    return -1
  end
  if haveChildren and t.kind == 'c' then
    if try('SCARD', key .. ':dependencies') ~= 0 then
      return -4
    end
    if try('ZCARD', key .. ':unsuccessful') ~= 0 then
      return -9
    end
  end
  if locks[i] ~= t.token and t.token ~= '0' then
    return locks[i] and -6 or -2
  end
  return 0
end

local codes, unlocked, settled, anyRetry = {}, {}, {}, false
for i = 1, count do
  local code = check(i)
  codes[i] = code
  if code == 0 then
    local n = #unlocked + 1
    unlocked[n] = lockKeys[i]
    settled[n] = ids[i]
    anyRetry = anyRetry or termsOf[i].kind == 'r'
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
  if not group or group.list ~= list or group.rule ~= rule then
    if string.sub(rule, 1, 2) == '0:' then
      return false
    end
    flush()
    group = { list = list, rule = rule, keep = parseRule(rule), entries = {} }
  end
  local entries = group.entries
  local n = #entries
  entries[n + 1] = stamp
  entries[n + 2] = id
  return true
end

-- What the end of a child or of a deduplicated job means to others. Returns
-- its parent's reference.
local function tellOthers(i, id, completed, value)
  local key, parentKey, parentJSON = keys[i], parentKeys[i], nil
  if deids[i] then
    releaseDedup(q, id, deids[i], now)
  end
  if parentKey then
    parentJSON = call('HGET', key, 'parent')
    if completed then
      childCompleted(q, key, parentKey, parentJSON, value, now)
    else
      childFailed(q, key, parentKey, parentJSON, value, now)
    end
  end
  return parentJSON
end

-- Returns 0, or -1 for a job whose key was replaced by something else.
local function finish(i, t)
  local key, atm, id, value = keys[i], made[i], ids[i], values[i]
  local completed = t.kind == 'c'
  local list, valueField, stored = 'completed', 'returnvalue', nil
  if completed then
    stored = try('HSET', key, valueField, value, 'finishedOn', stamp, 'atm', atm)
  else
    list, valueField = 'failed', 'failedReason'
    stored = try('HSET', key, valueField, value, 'finishedOn', stamp, 'atm', atm, 'stacktrace', t.stacktrace)
  end
  if type(stored) ~= 'number' then
    setAside(q, id, now)
    return -1
  end
  local parentJSON
  if parentKeys[i] or deids[i] then
    parentJSON = tellOthers(i, id, completed, value)
  end
  if not completed then
    try('HDEL', key, 'defa') -- now: BullMQ lets a job become its own parent, which its failure is to fail
  end
  if not collect(list, id, t.rule) then
    if parentKeys[i] then
      unref(q, key, parentKeys[i], parentJSON, false)
    end
    deleteJobs(base, { id })
  end
  call('XADD', q.events, '*', 'event', list, 'jobId', id, valueField, value, 'prev', 'active')
  if not completed and tonumber(atm) >= (tonumber(t.more) or 0) then
    call('XADD', q.events, '*', 'event', 'retries-exhausted', 'jobId', id, 'attemptsMade', atm)
  end
  finished[list] = finished[list] + 1
  return 0
end

local wakeDelayed = false
local function goBack(i, t)
  local key, kind, id = keys[i], t.kind, ids[i]
  if kind == 'r' or kind == 'b' then
    call('HSET', key, 'failedReason', values[i], 'stacktrace', t.stacktrace, 'atm', made[i])
  end
  if kind == 'b' or kind == 'd' then
    call('HSET', key, 'delay', t.more)
    enqueueDelayed(q, id, now + tonumber(t.more))
    wakeDelayed = true
    return
  end
  local priority = tonumber(call('HGET', key, 'priority') or '') or 0
  if kind == 'r' then
    enqueue(q, id, priority, t.more == 'lifo' and 'RPUSH' or 'LPUSH')
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
    local id, t = ids[i], termsOf[i]
    if not left[id] then
      codes[i] = -3
    elseif t.ends then
      codes[i] = finish(i, t)
    else
      goBack(i, t)
    end
    left[id] = nil -- a second outcome of the same job comes too late
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
-- A place under the queue's limit is free, and no claim of ours tells the others.
if n == 0 and q.concurrency and #settled > 0 and call('LLEN', q.wait) + call('ZCARD', q.prioritized) > 0 then
  wake(q)
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

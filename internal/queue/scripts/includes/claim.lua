-- Moves waiting jobs to active for one worker: promotes what is due, respects
-- pause, global concurrency and the rate limit, takes standard jobs before
-- prioritized ones, locks each and returns what a worker needs of it.
-- want: table {n, now, stamp, token, lock (ms), max, duration, worker}; stamp is
-- now as the text it came as: Redis formats a number anew for every command,
-- at the price of a small command.
-- Returns {jobs, limited ms, next due ms, state, set aside ids}; jobs are id and
-- fields in turn; state says why no more were taken: 'paused', 'maxed',
-- 'limited', or '' when there are no more or all that were asked for came.
-- @include enqueue
-- @include promote_due
-- @include many
-- @include set_aside
--
-- Keys that are only read before anything is written, or written under pcall,
-- need no guard: one check is a command, and claims are most of what Redis does.
local claimGuard = 'meta wait paused active prioritized delayed marker events'

local function lockJob(q, id, want)
  local key = q.base .. id .. ':lock'
  if call('SET', key, want.token, 'PX', want.lock, 'NX') then
    return true
  end
  -- Locked by this very claim, or locked and active: this entry is a second one
  -- of a running job. Otherwise a lock has outlived its job's last run.
  if redis.pcall('GET', key) == want.token or redis.pcall('LPOS', q.active, id) then
    return false
  end
  call('SET', key, want.token, 'PX', want.lock)
  return true
end

local function startJob(q, id, want, reply)
  local key = q.base .. id
  local job = redis.pcall('HMGET', key, 'name', 'data', 'opts', 'timestamp', 'atm', 'ats', 'defa', 'rjk', 'stacktrace',
    'deid', 'parentKey')
  if job.err then
    setAside(q, id, want.now)
    reply.aside[#reply.aside + 1] = id
    return false
  end
  if not job[1] and call('EXISTS', key) == 0 then
    reply.aside[#reply.aside + 1] = id
    return false
  end
  if not lockJob(q, id, want) then
    return false
  end
  local starts = job[6] and countText((tonumber(job[6]) or 0) + 1) or '1'
  if want.worker ~= '' then
    call('HSET', key, 'processedOn', want.stamp, 'ats', starts, 'pb', want.worker)
  else
    call('HSET', key, 'processedOn', want.stamp, 'ats', starts)
  end
  job[6] = starts
  call('XADD', q.events, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
  local jobs = reply.jobs
  local n = #jobs
  jobs[n + 1] = id
  jobs[n + 2] = job
  reply.started = reply.started + 1
  if not job[7] then
    reply.counted = reply.counted + 1
  end
  return true
end

-- Takes up to n ids, the oldest first; old layouts left entries `0:…` as
-- markers.
local function takeWaiting(q, n)
  while true do
    local ids = call('RPOP', q.wait, n)
    if not ids then
      return {}
    end
    for i = #ids, 1, -1 do
      if string.byte(ids[i]) == 48 and string.sub(ids[i], 1, 2) == '0:' then
        table.remove(ids, i)
      end
    end
    if #ids > 0 then
      return ids
    end
  end
end

-- Not ZPOPMIN: it would print every score.
local function takePrioritized(q, n)
  local ids = call('ZRANGE', q.prioritized, 0, n - 1)
  if #ids > 0 then
    call('ZREMRANGEBYRANK', q.prioritized, 0, #ids - 1)
  end
  if #ids < n then
    call('DEL', q.base .. 'pc')
  end
  return ids
end

local function startAll(q, ids, want, reply)
  local started = {}
  for _, id in ipairs(ids) do
    if startJob(q, id, want, reply) then
      started[#started + 1] = id
    end
  end
  many('LPUSH', q.active, started)
end

-- How many jobs the rate limit lets start now. The third value is how long (ms)
-- it holds when it lets none.
local function limitedRoom(q, max, room)
  local key = q.base .. 'limiter'
  local used = tonumber(call('GET', key) or '') or 0
  if used >= max then
    local ttl = call('PTTL', key)
    if ttl > 0 then
      return 0, 'limited', ttl
    end
    if ttl == 0 then
      call('DEL', key)
      used = 0
    end
  end
  if used < max and max - used < room then
    return max - used, 'limited', 0
  end
  return room, '', 0
end

-- Counts the started jobs; the first of a window begins it. Returns how long
-- the window lasts (ms).
local function countStarts(q, want, started)
  local key = q.base .. 'limiter'
  if countOn(key, started) == 0 then
    call('PEXPIRE', key, math.floor(math.abs(want.duration or q.duration or 0)))
  end
  return math.max(0, call('PTTL', key))
end

local function claim(q, want)
  local reply = { jobs = {}, aside = {}, started = 0, counted = 0 }
  local nextDue = promoteDue(q, want.now)
  local max = q.max or want.max
  local room, state, limited = want.n, '', 0
  if max then
    room, state, limited = limitedRoom(q, max, room)
  end
  if q.paused then
    room, state, limited = 0, 'paused', 0
  elseif q.concurrency then
    local left = math.max(0, q.concurrency - call('LLEN', q.active))
    if left < room then
      room, state = left, 'maxed'
    end
  end
  room = math.floor(room)
  while reply.started < room do
    local ids = takeWaiting(q, room - reply.started)
    if #ids == 0 then
      ids = takePrioritized(q, room - reply.started)
    end
    if #ids == 0 then
      state = ''
      break
    end
    startAll(q, ids, want, reply)
  end
  if reply.counted > 0 and max then
    local window = countStarts(q, want, reply.counted)
    if state == 'limited' then
      limited = window
    end
  end
  if #reply.jobs > 0 then
    call('ZADD', q.marker, 0, '0')
  end
  return { reply.jobs, limited, nextDue, state, reply.aside }
end

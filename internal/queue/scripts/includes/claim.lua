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

-- Whether the job is ours now. SET has failed: somebody holds the lock.
local function takeLock(q, id, key, want)
  -- Locked by this very claim, or locked and active: this entry is a second one
  -- of a running job. Otherwise a lock has outlived its job's last run.
  if try('GET', key) == want.token or try('LPOS', q.active, id) then
    return false
  end
  call('SET', key, want.token, 'PX', want.lock)
  return true
end

-- An id without a job, or of one of the queue's own keys, is dropped; one whose
-- key is no job is set aside.
local function dropEntry(q, id, corrupt, want, reply)
  if corrupt then
    setAside(q, id, want.now)
  end
  reply.aside[#reply.aside + 1] = id
end

-- Locks and starts jobs that were taken out of the queue. This loop is most of
-- what Redis does for a worker, so it looks up nothing twice.
local function startAll(q, ids, want, reply)
  local base, events, token, lock, stamp, worker = q.base, q.events, want.token, want.lock, want.stamp, want.worker
  local jobs, started = reply.jobs, {}
  local n = #jobs
  for _, id in ipairs(ids) do
    local key = base .. id
    local lockKey = key .. ':lock'
    local job = try('HMGET', key, 'name', 'data', 'opts', 'timestamp', 'ats', 'atm', 'defa', 'rjk', 'stacktrace',
      'deid', 'parentKey')
    if job.err or queueTypes[id] or (not job[1] and call('EXISTS', key) == 0) then
      dropEntry(q, id, job.err, want, reply)
    elseif call('SET', lockKey, token, 'PX', lock, 'NX') or takeLock(q, id, lockKey, want) then
      local starts = job[5] and countText((tonumber(job[5]) or 0) + 1) or '1'
      if worker ~= '' then
        call('HSET', key, 'processedOn', stamp, 'ats', starts, 'pb', worker)
      else
        call('HSET', key, 'processedOn', stamp, 'ats', starts)
      end
      call('XADD', events, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
      job[5] = starts
      if not job[7] then
        reply.counted = reply.counted + 1
      end
      if not (job[6] or job[7] or job[8] or job[9] or job[10] or job[11]) then
        job[6] = nil -- the reply ends here
      end
      jobs[n + 1] = id
      jobs[n + 2] = job
      n = n + 2
      started[#started + 1] = id
    end
  end
  reply.started = reply.started + #started
  many('LPUSH', q.active, started)
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

-- How many of n jobs the rate limit lets start now, and when it lets none, for
-- how long (ms).
local function limitedRoom(q, max, n)
  local key = q.base .. 'limiter'
  local used = tonumber(call('GET', key) or '') or 0
  if used >= max then
    local ttl = call('PTTL', key)
    if ttl > 0 then
      return 0, ttl
    end
    if ttl == 0 then
      call('DEL', key)
      used = 0
    end
  end
  return used < max and math.min(n, math.floor(max - used)) or n, 0
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
  local room, allowed, limited, state = want.n, want.n, 0, ''
  if q.paused then
    room, state = 0, 'paused'
  else
    if max then
      allowed, limited = limitedRoom(q, max, room)
    end
    local left = q.concurrency and math.floor(math.max(0, q.concurrency - call('LLEN', q.active)))
    if left and left < room then
      room, state = left, 'maxed'
    end
  end
  -- Jobs that are claimed only to be failed do not count for the rate limit.
  while reply.started < room and reply.counted < allowed do
    local most = math.min(room - reply.started, allowed - reply.counted)
    local ids = takeWaiting(q, most)
    if #ids == 0 then
      ids = takePrioritized(q, most)
    end
    if #ids == 0 then
      room, state = reply.started, ''
      break
    end
    startAll(q, ids, want, reply)
  end
  if reply.started < room then
    state = 'limited'
  end
  if reply.counted > 0 and max then
    local window = countStarts(q, want, reply.counted)
    if state == 'limited' then
      limited = math.max(1, window) -- 0 would say that nothing is left
    end
  end
  if #reply.jobs > 0 then
    call('ZADD', q.marker, 0, '0')
  end
  return { reply.jobs, limited, nextDue, state, reply.aside }
end

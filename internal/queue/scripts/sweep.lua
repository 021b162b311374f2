-- Removes one page of the jobs in a list or sorted set, the oldest first, and
-- says where the next page begins: behind what stays.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 the list or set  2 mode  3 now (ms)  4 clean: newest time (ms) that
--       is old enough  5 most entries to look at  6 most jobs to remove
--       7 entries at the far end to leave alone
--       8 9 10 where the page begins: what the page before returned, or 0 '' ''
--       11 '1' to tell of it also when nothing was removed
--       modes: clean  drain (keeps what schedulers wait for, whatever its age)
--       obliterate (all jobs of a paused queue without active ones)  force
--       (obliterate, active jobs too)
-- Returns: {removed, '1' when this was the last page, place of the next page:
--       entries passed over, the last of them, its score} or -21 not paused |
--       -22 active jobs
-- Events: cleaned (clean only)
-- @include guard
-- @include removal
-- @include cut
-- @include many
-- @include set_aside
local base, name, mode, now = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local cutoff, page, most, keep = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local passed, anchor, anchorScore = tonumber(ARGV[8]), ARGV[9], ARGV[10]
local key = base .. name
local wrong = guard(base, 'meta wait paused active prioritized delayed waiting-children completed failed marker pc' ..
  ' events stalled repeat qctl:corrupt')
if wrong then
  return wrong
end
local q = openQueue(base)
local total = mode == 'obliterate' or mode == 'force'
if total and not q.paused then
  return -21
end
if mode == 'obliterate' and call('LLEN', q.active) > 0 then
  return -22
end
local isList = name == 'wait' or name == 'paused' or name == 'active'
local length = call(isList and 'LLEN' or 'ZCARD', key)
-- A resume will put paused jobs in front of those in wait.
if name == 'paused' then
  keep = math.max(0, keep - call('LLEN', q.wait))
end

-- Entries come and go between pages: the place counts from the last entry that
-- was passed over, and from the beginning when that has gone.
local function findPlace()
  if anchor == '' then
    return 0
  end
  if isList then
    if call('LINDEX', key, -passed) == anchor then
      return passed
    end
    local at = call('LPOS', key, anchor, 'RANK', -1, 'MAXLEN', passed + 10000)
    return at and length - at or 0
  end
  local rank, score = call('ZRANK', key, anchor), call('ZSCORE', key, anchor)
  if rank and tonumber(score) == tonumber(anchorScore) then
    return rank + 1
  end
  return call('ZCOUNT', key, '-inf', '(' .. anchorScore)
end

passed = findPlace()
-- The deeper in a list, the more each change of an entry costs.
if isList and passed > 100000 then
  page = math.min(page, 500)
end
local take = math.min(page, length - keep - passed)

-- Returns ids from the oldest on, and scores by id for sets.
local function readPage()
  local ids, scores = {}, {}
  if take <= 0 then
    return ids, scores
  end
  if isList then
    local window = call('LRANGE', key, -(passed + take), -(passed + 1))
    for i = #window, 1, -1 do
      ids[#ids + 1] = window[i]
    end
    return ids, scores
  end
  local window = call('ZRANGE', key, passed, passed + take - 1, 'WITHSCORES')
  for i = 1, #window, 2 do
    ids[#ids + 1], scores[window[i]] = window[i], window[i + 1]
  end
  return ids, scores
end

-- The time that a job's age counts from; nil when it cannot be read. An entry
-- without a job has no age and is rubbish.
local isFinished = name == 'completed' or name == 'failed'
local function since(job, score)
  if isFinished then
    return tonumber(score)
  end
  local ms = isList and job.finishedOn or name ~= 'prioritized' and job.processedOn or job.timestamp
  return ms and tonumber(ms) or not job.ownsKeys and 0 or nil
end

local function leaves(job, score)
  if total then
    return true
  end
  if mode == 'clean' then
    local ms = since(job, score)
    if job.corrupt or not ms or not (ms <= cutoff) or (name == 'active' and isLocked(q, job)) then
      return false
    end
  end
  return isFinished or not isNextIteration(q, job)
end

local ids, scores = readPage()
local kept, jobs, gone, places, aside = 0, {}, {}, {}, {}
local done = take < page
for i, id in ipairs(ids) do
  -- Finished jobs lie in the order of their age.
  if #jobs >= most or (mode == 'clean' and isFinished and tonumber(scores[id]) > cutoff) then
    done = true
    break
  end
  local job = inspect(q, id)
  if leaves(job, scores[id]) then
    if job.corrupt and not total then
      aside[#aside + 1] = id
    else
      jobs[#jobs + 1] = job
    end
    gone[#gone + 1] = id
    places[#places + 1] = -(passed + i)
  else
    kept = kept + 1
    anchor, anchorScore = id, scores[id] or ''
  end
end

-- The first write must be a deletion: it is allowed, with all that follows,
-- when Redis is out of memory.
many('SREM', q.stalled, gone)
if isList then
  cut(key, places)
else
  many('ZREM', key, gone)
end
for _, id in ipairs(aside) do
  setAside(q, id, now)
end
erase(q, jobs, true)
if total then
  for _, job in ipairs(jobs) do
    call('UNLINK', base .. job.id .. ':lock')
    if job.deid then
      call('UNLINK', base .. 'de:' .. job.deid, base .. 'dn:' .. job.deid)
    end
  end
elseif name == 'active' and #jobs > 0 and q.concurrency then
  wake(q)
end
if mode == 'clean' and (#jobs > 0 or ARGV[11] == '1') then
  emit(q, 'cleaned', 'count', #jobs)
  trimEvents(q)
end
return { #jobs, (done or #jobs >= most) and '1' or '', passed + kept, anchor, anchorScore }

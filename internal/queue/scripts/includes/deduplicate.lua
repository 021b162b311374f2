-- Deduplication of a job that is about to be added (wire section 3.4).
-- @include removal
local notText = -25

local function hasFlag(job, flag)
  return string.find(job.flags, flag, 1, true) ~= nil
end

-- Says that a job took the place of another, which was not stored or is gone.
local function sayDeduplicated(job, owner, dropped)
  if job.q.v5 then
    emit(job.q, 'debounced', 'jobId', owner, 'debounceId', job.deid)
  end
  emit(job.q, 'deduplicated', 'jobId', owner, 'deduplicationId', job.deid, 'deduplicatedJobId', dropped)
end

-- A job that is kept until the end of another needs the key for that long.
local function lives(job)
  return job.ttl and not hasFlag(job, 'k')
end

-- An owner that is gone and left a key without an end would keep jobs out for
-- ever.
local function ownerOf(job, key)
  local owner = call('GET', key)
  if owner and call('EXISTS', job.q.base .. owner) == 0 and call('PTTL', key) == -1 then
    call('DEL', key, job.q.base .. 'dn:' .. job.deid)
    return nil
  end
  return owner or nil
end

local function keepLast(job, key)
  local nextKey = job.q.base .. 'dn:' .. job.deid
  call('DEL', nextKey)
  call('HSET', nextKey, 'name', job.name, 'data', job.data, 'opts', job.opts, 'jid', job.id)
  call('PERSIST', key)
end

-- Takes a delayed job away; not the one that a scheduler waits for. Its parent,
-- if it was given one since it was added, must not wait for it for ever.
local function takeAway(q, id)
  local old = inspect(q, id)
  if isNextIteration(q, old) or call('ZREM', q.delayed, id) == 0 then
    return false
  end
  q.delayedScores = nil
  old.deid = nil -- the key goes on to the new job
  erase(q, { old }, false)
  emit(q, 'removed', 'jobId', id, 'prev', 'delayed')
  return true
end

local function giveTo(job, key)
  call('DEL', job.q.base .. 'dn:' .. job.deid)
  if not lives(job) then
    call('SET', key, job.id)
  elseif hasFlag(job, 'e') then
    call('SET', key, job.id, 'PX', job.ttl)
  else
    local left = call('PTTL', key) -- SET's own KEEPTTL is of Redis 6
    call('SET', key, job.id)
    if left > 0 then
      call('PEXPIRE', key, left)
    end
  end
end

-- Moves a delayed job to where the one that it keeps out would have been.
local function reschedule(job, id, now)
  local q, delay = job.q, tonumber(job.delay)
  if call('ZSCORE', q.delayed, id) and call('TYPE', q.base .. id).ok == 'hash' then
    -- Its old place still counts, as in BullMQ: at the same time it comes last.
    q.delayedScores = nil
    call('HSET', q.base .. id, 'delay', job.delay)
    enqueueDelayed(q, id, now + delay)
    wakeForDelayed(q)
  end
end

-- isActive: a function of the owner's id. Returns nil and, when a job gave way,
-- its id; or the id of the job that keeps this one out; or notText.
local function deduplicate(job, isActive, now)
  local key = job.q.base .. 'de:' .. job.deid
  local kind = call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then
    return notText
  end
  local owner = ownerOf(job, key)
  if not owner then
    if lives(job) then
      call('SET', key, job.id, 'PX', job.ttl)
    else
      call('SET', key, job.id)
    end
    return nil
  end
  if hasFlag(job, 'k') and isActive(owner) then
    keepLast(job, key)
    sayDeduplicated(job, owner, job.id)
    return owner
  end
  if hasFlag(job, 'r') then
    if not takeAway(job.q, owner) then
      return owner
    end
    sayDeduplicated(job, job.id, owner)
    giveTo(job, key)
    return nil, owner
  end
  if lives(job) and hasFlag(job, 'e') then
    call('SET', key, owner, 'PX', job.ttl)
  end
  sayDeduplicated(job, owner, job.id)
  if hasFlag(job, 's') then
    reschedule(job, owner, now)
  end
  return owner
end

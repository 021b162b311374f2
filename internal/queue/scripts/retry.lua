-- Puts finished jobs back among the waiting ones, each as if it were retried
-- alone: its priority and LIFO count, and its parent waits for it again.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 'failed' or 'completed'  2 '1' to count its attempts from zero, or
--       ''  then job ids
-- Returns: a code per job: 0 done | -1 no such job | -3 not in that state |
--       -23 its key is no job
-- Events: waiting
-- @include guard
-- @include enqueue
-- @include parents
-- @include job
local base, state = KEYS[1], ARGV[1]
local wrong = guard(base, 'meta wait paused active prioritized marker pc events ' .. state)
if wrong then
  return wrong
end
local q = openQueue(base)
local outcome = state == 'failed' and 'failedReason' or 'returnvalue'

local function isLIFO(text)
  if not text or not string.find(text, 'lifo', 1, true) then
    return false
  end
  local ok, opts = pcall(cjson.decode, text)
  return ok and type(opts) == 'table' and opts.lifo == true
end

-- Moves a child from its parent's record of outcomes to the pending ones.
local function pendAgain(key, parentKey, parentJSON)
  if not parentOf(q, parentKey, parentJSON) then
    return
  end
  local recorded
  if state == 'failed' then
    recorded = call('ZREM', parentKey .. ':unsuccessful', key) == 1 or call('HDEL', parentKey .. ':failed', key) == 1
  else
    recorded = call('HDEL', parentKey .. ':processed', key) == 1
  end
  if recorded then
    call('SADD', parentKey .. ':dependencies', key)
  end
end

local function retry(id)
  local key = base .. id
  local job, code = readJob(q, id, 'priority', 'opts', 'parentKey', 'parent')
  if not job then
    return code
  end
  if call('ZREM', base .. state, id) == 0 then
    return -3
  end
  if ARGV[2] == '1' then
    call('HDEL', key, 'finishedOn', 'processedOn', outcome, 'atm', 'ats')
  else
    call('HDEL', key, 'finishedOn', 'processedOn', outcome)
  end
  enqueue(q, id, tonumber(job[2] or '') or 0, isLIFO(job[3]) and 'RPUSH' or 'LPUSH')
  if job[4] then
    pendAgain(key, job[4], job[5])
  end
  emit(q, 'waiting', 'jobId', id, 'prev', state)
  return 0
end

local codes, moved = {}, false
for i = 3, #ARGV do
  local code = retry(ARGV[i])
  codes[#codes + 1] = code
  moved = moved or code == 0
end
if moved then
  wake(q)
  trimEvents(q)
end
return codes

-- Removes jobs from a stretch of a list.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 list  2 first place from the left  3 last place  then job ids
-- Returns: a code per job: 0 removed | -3 not in this stretch | -8 the next one
--       of a scheduler | -20 locked
-- Events: removed, waiting (a parent that is released)
-- @include guard
-- @include removal
-- @include cut
-- @include many
local base, list = KEYS[1], ARGV[1]
local wrong = guard(base, 'meta wait paused active prioritized delayed waiting-children marker pc events stalled repeat')
if wrong then
  return wrong
end
local q = openQueue(base)

local placeOf = {}
for i, id in ipairs(call('LRANGE', base .. list, ARGV[2], ARGV[3])) do
  placeOf[id] = tonumber(ARGV[2]) + i - 1
end

local codes, jobs, ids, places = {}, {}, {}, {}
for i = 4, #ARGV do
  local id, code = ARGV[i], 0
  local job = placeOf[id] and inspect(q, id)
  if not job then
    code = -3
  elseif isNextIteration(q, job) then
    code = -8
  elseif isLocked(q, job) then
    code = -20
  else
    jobs[#jobs + 1], ids[#ids + 1], places[#places + 1] = job, id, placeOf[id]
    placeOf[id] = nil
  end
  codes[#codes + 1] = code
end

-- The first write must be a deletion: it is allowed, with all that follows,
-- when Redis is out of memory.
many('SREM', q.stalled, ids)
cut(base .. list, places)
erase(q, jobs, false)
for _, job in ipairs(jobs) do
  emit(q, 'removed', 'jobId', job.id, 'prev', list)
end
if #jobs > 0 then
  if list == 'active' and q.concurrency then
    wake(q)
  end
  trimEvents(q)
end
return codes

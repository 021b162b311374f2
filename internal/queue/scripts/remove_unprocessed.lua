-- Removes chosen pending children of a job, with their own, but for those that
-- are running, have a running one among their own, or have failed. Works until
-- its budget is used up; the caller asks again.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id  2 most steps over list entries  3 most jobs and children to
--       look at  then full keys of children
-- Returns: a code for each child that the budget allowed, at least one: 0 removed
--       | 1 part of its own removed, ask again | else it stays, or was no pending
--       child; or, as a number, -1 no such job | -23 its key, or that of its
--       pending children, is of the wrong type
-- Events: removed, waiting (the parent)
-- @include job
-- @include remove_family
local base, id = KEYS[1], ARGV[1]
local wrong = guard(base, structures)
if wrong then
  return wrong
end
steps, room = tonumber(ARGV[2]), tonumber(ARGV[3])
local q = openQueue(base)
queues[base] = q
local job, missing = readJob(q, id)
if not job then
  return missing
end
local key = base .. id
local pending = key .. ':dependencies'
local kind = call('TYPE', pending).ok
if kind ~= 'set' and kind ~= 'none' then
  return jobCorrupt
end

local function removeChild(childKey)
  if call('SISMEMBER', pending, childKey) == 0 then
    return -1
  end
  local p, child = childOf(childKey, q, key)
  if p then
    if call('ZSCORE', p.base .. 'failed', child.id) then
      return -3
    end
    return removeFamily(p, child, '')
  end
  if try('EXISTS', childKey) == 0 then
    -- Nobody will ever complete it.
    unref(q, childKey, key, nil, false)
    q.emitted = true
  end
  return -1
end

local codes = {}
for i = 4, #ARGV do
  room = room - 1
  local code = removeChild(ARGV[i])
  codes[#codes + 1] = code
  if steps <= 0 or room <= 0 or code == 1 then
    break
  end
end
trimEmitted()
return codes

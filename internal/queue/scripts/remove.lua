-- Removes jobs wherever they are, or those in one state, alone or with their
-- children. Works until its budget is used up; the caller asks again.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 the state's key, or '' for any  2 '1' to remove children too, or ''
--       3 most steps over list entries  4 most jobs and children to look at
--       then job ids
-- Returns: a code for each job that the budget allowed, at least one: 0 removed
--       | 1 part of its children removed, ask again | -1 no such job | -3 not
--       in that state | -8 the next one of a scheduler | -20 it or a child is
--       locked
-- Events: removed, waiting (a parent that is released)
-- @include remove_family
local base, state = KEYS[1], ARGV[1]
local wrong = guard(base, structures)
if wrong then
  return wrong
end
steps, room = tonumber(ARGV[3]), tonumber(ARGV[4])
local q = openQueue(base)
queues[base] = q

local codes = {}
for i = 5, #ARGV do
  local job, code = inspect(q, ARGV[i])
  if ARGV[2] == '1' then
    code = removeFamily(q, job, state)
  else
    room = room - 1
    code = refusal(q, job)
    if code == 0 then
      code = remove(q, job, state)
    end
  end
  codes[#codes + 1] = code
  if steps <= 0 or room <= 0 or code == 1 then
    break
  end
end
trimEmitted()
return codes

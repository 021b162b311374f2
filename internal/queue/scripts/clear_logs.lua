-- Cuts a job's log down to its newest lines.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id  2 how many lines to keep, 0 for none
-- Returns: 0 done | -1 no such job | -23 its key is no job
-- Events: none
-- @include guard
-- @include queue
-- @include job
local q, id, keep = { base = KEYS[1] }, ARGV[1], tonumber(ARGV[2])
local job, code = readJob(q, id)
if not job then
  return code
end
local logs = q.base .. id .. ':logs'
if keep > 0 then
  local found = call('TYPE', logs).ok
  if found ~= 'none' and found ~= 'list' then
    return redis.error_reply('WRONGTYPE ' .. logs .. ' holds a ' .. found .. ', not a list')
  end
  call('LTRIM', logs, -keep, -1)
else
  call('UNLINK', logs)
end
return 0

-- Appends lines to a job's log.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id  2 how many of the newest lines to keep, 0 for all  then lines
-- Returns: lines in the log | -1 no such job | -23 its key is no job
-- Events: none
-- @include guard
-- @include queue
-- @include many
-- @include job
local q, id = { base = KEYS[1] }, ARGV[1]
local job, code = readJob(q, id)
if not job then
  return code
end
local logs = q.base .. id .. ':logs'
local found = call('TYPE', logs).ok
if found ~= 'none' and found ~= 'list' then
  return redis.error_reply('WRONGTYPE ' .. logs .. ' holds a ' .. found .. ', not a list')
end
local lines = {}
for i = 3, #ARGV do
  lines[i - 2] = ARGV[i]
end
many('RPUSH', logs, lines)
if tonumber(ARGV[2]) > 0 then
  call('LTRIM', logs, -tonumber(ARGV[2]), -1)
end
return call('LLEN', logs)

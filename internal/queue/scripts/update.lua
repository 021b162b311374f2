-- Replaces one field of a job.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id  2 'data' or 'progress'  3 JSON text
-- Returns: 0 done | -1 no such job | -23 its key is no job
-- Events: progress
-- @include guard
-- @include queue
-- @include events
-- @include job
local base, id = KEYS[1], ARGV[1]
local wrong = guard(base, 'meta events')
if wrong then
  return wrong
end
local q = openQueue(base)
local job, code = readJob(q, id)
if not job then
  return code
end
call('HSET', base .. id, ARGV[2], ARGV[3])
if ARGV[2] == 'progress' then
  emit(q, 'progress', 'jobId', id, 'data', ARGV[3])
  trimEvents(q)
end
return 0

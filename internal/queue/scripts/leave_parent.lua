-- Separates a child from its parent, which goes on when it waited for nothing
-- else.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id
-- Returns: 0 done | 1 the parent does not wait for it: no change | -1 no such job
--       | -5 no parent | -23 its key is no job
-- Events: waiting (the parent)
-- @include job
-- @include parents
local base, id = KEYS[1], ARGV[1]
local wrong = guard(base, 'meta')
if wrong then
  return wrong
end
local q = openQueue(base)
local job, code = readJob(q, id, 'parentKey', 'parent')
if not job then
  return code
end
local key, parentKey = base .. id, job[2]
local p = parentKey and parentOf(q, parentKey, job[3])
if not p then
  return -5
end
if call('SISMEMBER', parentKey .. ':dependencies', key) == 0 then
  return 1
end
call('HDEL', key, 'parentKey', 'parent')
unref(q, key, parentKey, job[3], false)
trimEvents(p)
return 0

-- Renews the locks of many jobs. PEXPIRE and not SET: it works when Redis is
-- out of memory, and never makes a lock again that has gone.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 lock (ms)  then 2 per job: id  token
-- Returns: positions (from 1) of the jobs whose lock is lost
-- Events: none
local base, lock = KEYS[1], ARGV[1]
local keys, ids, lost, kept = {}, {}, {}, {}
for i = 2, #ARGV, 2 do
  keys[#keys + 1] = base .. ARGV[i] .. ':lock'
  ids[#ids + 1] = ARGV[i]
end
local tokens = redis.call('MGET', unpack(keys))
for i, key in ipairs(keys) do
  if tokens[i] == ARGV[1 + i * 2] then
    redis.call('PEXPIRE', key, lock)
    kept[#kept + 1] = ids[i]
  else
    lost[#lost + 1] = i
  end
end
if #kept > 0 then
  redis.pcall('SREM', base .. 'stalled', unpack(kept))
end
return lost

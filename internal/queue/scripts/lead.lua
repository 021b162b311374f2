-- The lease of a leader. Redis counts its time; no client's clock matters.
-- KEYS: 1 key base of what is led, with its final colon
-- ARGV: 1 'lead', 'renew', 'resign' or 'look'  2 owner  3 life (ms)  4 fence that
--       the owner leads with, or for 'lead' the highest that was seen elsewhere
--       5 host  6 pid  7 now (ms)
-- Returns: {'1' if the owner leads (or has resigned), fence, owner, left (ms),
--       host, pid, since (ms)}
-- Events: none
local call, try = redis.call, redis.pcall
local key, fenceKey = KEYS[1] .. 'leader', KEYS[1] .. 'fence'
local mode, owner, life = ARGV[1], ARGV[2], ARGV[3]
local found = call('HMGET', key, 'owner', 'fence', 'host', 'pid', 'since')

local function answer(held)
  return { held and '1' or '', found[2] or '0', found[1] or '', math.max(0, call('PTTL', key)),
    found[3] or '', found[4] or '', found[5] or '' }
end

local mine = found[1] == owner and (mode == 'lead' or found[2] == ARGV[4])
if mode == 'look' or (mode ~= 'lead' and not mine) or (mode == 'lead' and found[1] and not mine) then
  return answer(false)
end
if mode == 'resign' then
  call('DEL', key)
  found = {}
  return answer(true)
end
if not mine then
  local fence = call('INCR', fenceKey)
  if fence <= tonumber(ARGV[4]) then
    fence = tonumber(ARGV[4]) + 1
    call('SET', fenceKey, fence)
  end
  found = { owner, string.format('%.0f', fence), ARGV[5], ARGV[6], ARGV[7] }
  call('HSET', key, 'owner', owner, 'fence', found[2], 'host', ARGV[5], 'pid', ARGV[6], 'since', ARGV[7])
end
call('PEXPIRE', key, life)
return answer(true)

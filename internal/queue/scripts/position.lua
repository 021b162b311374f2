-- Tells how many jobs run before one, as things stand: standard jobs before
-- prioritized ones. A list is searched from the job that runs next.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 job id  2 most entries of a list that are searched
-- Returns: how many jobs run before it; nil when it does not wait, or stands
--       behind what was searched
-- Events: none
-- @include guard
-- @include markers
local base, id, most = KEYS[1], ARGV[1], ARGV[2]
local wrong = guard(base, 'wait paused prioritized')
if wrong then
  return wrong
end
local rank = redis.call('ZRANK', base .. 'prioritized', id)
if rank then
  return countWaiting(base, 'paused') + countWaiting(base, 'wait') + rank
end
local ahead = 0
for _, list in ipairs({ 'paused', 'wait' }) do
  local at = redis.call('LPOS', base .. list, id, 'RANK', -1, 'MAXLEN', most)
  if at then
    local behind = redis.call('LLEN', base .. list) - 1 - at
    for _, other in ipairs(behind > 0 and redis.call('LRANGE', base .. list, -math.min(behind, 10), -1) or {}) do
      if isMarker(other) then
        behind = behind - 1
      end
    end
    return ahead + behind
  end
  ahead = ahead + countWaiting(base, list)
end

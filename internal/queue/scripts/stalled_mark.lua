-- Marks active jobs as suspects of the next stalled check, a page of them
-- counted from the oldest. A renewal takes the mark off.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 how many of the oldest are marked already  2 page
-- Returns: active jobs that are left, or 0
-- Events: none
-- @include many
local active, skip, page = KEYS[1] .. 'active', tonumber(ARGV[1]), tonumber(ARGV[2])
local ids = redis.call('LRANGE', active, -(skip + page), -(skip + 1))
many('SADD', KEYS[1] .. 'stalled', ids)
return math.max(0, redis.call('LLEN', active) - skip - page)

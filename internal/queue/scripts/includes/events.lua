-- Writes to the event stream. Scripts add without MAXLEN and trim once at
-- their end: trimming at every entry costs as much as the entry.
local function emit(q, ...)
  redis.call('XADD', q.events, '*', 'event', ...)
end

local function trimEvents(q)
  if not q.maxLen then
    q.maxLen = 10000
    redis.call('HSET', q.base .. 'meta', 'opts.maxLenEvents', q.maxLen)
  end
  redis.call('XTRIM', q.events, 'MAXLEN', '~', q.maxLen)
end

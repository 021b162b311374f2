-- Opens a queue: its key names and settings, read once per script.
-- base: key base with its final colon. Returns a table; `target` is filled in
-- when a script first asks for it.
local call, try = redis.call, redis.pcall

-- The text of a small count: the same number is formatted once per script.
local countTexts = {}
local function countText(n)
  local text = countTexts[n]
  if not text then
    text = string.format('%.0f', n)
    countTexts[n] = text
  end
  return text
end

-- The stream's length as configured; nonsense counts as BullMQ's default.
local function maxEvents(text)
  local n = tonumber(text)
  if n and not (n >= 0 and n < 9007199254740992) then
    return 10000
  end
  return n and math.floor(n)
end

local function openQueue(base)
  local m = call('HMGET', base .. 'meta', 'paused', 'concurrency', 'max', 'duration', 'opts.maxLenEvents', 'version')
  local major = m[6] and string.match(m[6], '^bullmq:(%d+)%.')
  return {
    base = base,
    wait = base .. 'wait',
    active = base .. 'active',
    prioritized = base .. 'prioritized',
    delayed = base .. 'delayed',
    marker = base .. 'marker',
    events = base .. 'events',
    stalled = base .. 'stalled',
    paused = m[1] ~= false,
    concurrency = tonumber(m[2] or ''),
    max = tonumber(m[3] or ''),
    duration = tonumber(m[4] or ''),
    maxLen = maxEvents(m[5] or ''),
    v5 = major == '5' or major == '4',
  }
end

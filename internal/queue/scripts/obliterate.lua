-- The two ends of obliterating a queue whose jobs go page by page in between:
-- the check before anything is changed, and, after the jobs, the schedulers and
-- the queue's own keys. meta goes with the last ones, so that what was
-- interrupted can be repeated.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 'check' or 'end'  2 most schedulers to remove
-- Returns: 0 done | 1 more schedulers, or jobs again: go on | -21 not paused
-- Events: none
-- @include guard
-- @include queue
local base = KEYS[1]
local names = 'meta id wait paused active prioritized delayed completed failed waiting-children marker pc stalled' ..
  ' events limiter repeat qctl:corrupt metrics:completed metrics:completed:data metrics:failed metrics:failed:data'
local wrong = guard(base, names)
if wrong then
  return wrong
end
if ARGV[1] == 'check' then
  return 0
end
local q = openQueue(base)
if not q.paused then
  return -21
end

local schedulers = call('ZRANGE', base .. 'repeat', 0, tonumber(ARGV[2]) - 1)
for _, id in ipairs(schedulers) do
  call('UNLINK', base .. 'repeat:' .. id)
  call('ZREM', base .. 'repeat', id)
end
if call('EXISTS', base .. 'repeat') == 1 then
  return 1
end
for _, name in ipairs({ 'wait', 'paused', 'active', 'prioritized', 'delayed', 'completed', 'failed', 'waiting-children', 'qctl:corrupt' }) do
  if call('EXISTS', base .. name) == 1 then
    return 1
  end
end
-- The last two are of older layouts.
for name in string.gmatch(names .. ' stalled-check delay priority', '%S+') do
  call('UNLINK', base .. name)
end
return 0

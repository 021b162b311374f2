-- Moves up to n waiting jobs to active and locks them.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 now (ms)  2 n  3 lock token  4 lock (ms)  5 limiter max or ''
--       6 limiter duration (ms) or ''  7 worker name or ''
-- Returns: {jobs, limited for (ms), next delayed due (ms) or 0, why no more
--       were taken: 'paused', 'maxed', 'limited' or '', ids set aside}; jobs
--       are id and {name data opts timestamp ats, and if there is any of them: atm
--       defa rjk stacktrace deid parentKey} in turn
-- Events: active, waiting (delayed jobs that came due)
-- @include guard
-- @include claim
local wrong = guard(KEYS[1], claimGuard)
if wrong then
  return wrong
end
local q = openQueue(KEYS[1])
local reply = claim(q, {
  now = tonumber(ARGV[1]), stamp = ARGV[1], n = tonumber(ARGV[2]), token = ARGV[3], lock = ARGV[4],
  max = tonumber(ARGV[5]), duration = tonumber(ARGV[6]), worker = ARGV[7],
})
if #reply[1] > 0 then
  trimEvents(q)
end
return reply

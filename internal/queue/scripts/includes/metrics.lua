-- Counts finished jobs per minute (wire section 9). One batch shares one
-- clock reading, so only its first job can begin a new minute.
local function countFinished(q, list, n, points, now)
  local key = q.base .. 'metrics:' .. list
  local total = redis.pcall('HINCRBY', key, 'count', n)
  if type(total) ~= 'number' then
    return
  end
  local before = total - n
  local m = redis.call('HMGET', key, 'prevTS', 'prevCount')
  local previous = tonumber(m[1] or '')
  if not previous then
    redis.call('HSET', key, 'prevTS', now, 'prevCount', 0)
    return
  end
  local minutes = math.min(math.floor(now / 60000) - math.floor(previous / 60000), points)
  if minutes > 0 then
    local data = key .. ':data'
    redis.call('LPUSH', data, before - (tonumber(m[2] or '') or 0))
    for _ = 2, minutes do
      redis.call('LPUSH', data, 0)
    end
    redis.call('LTRIM', data, 0, points - 1)
    redis.call('HSET', key, 'prevCount', before, 'prevTS', now)
  end
end

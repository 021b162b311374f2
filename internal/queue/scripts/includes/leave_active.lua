-- Takes ids out of active. Returns a table of those that were there.
-- What was started together is mostly settled together, before what was started
-- later: then it is the old end of the list, which goes in one piece. Else a
-- batch that is a good part of a short list is filtered out of it, and in a long
-- list each id is looked for from the old end.
-- @include many
local function leaveActive(q, ids)
  local left, n = {}, #ids
  for _, id in ipairs(ids) do
    left[id] = false
  end
  if n > 1 then
    local hits = 0
    for _, id in ipairs(redis.call('LRANGE', q.active, -n, -1)) do
      if left[id] == false then
        left[id] = true
        hits = hits + 1
      end
    end
    if hits == n then
      redis.call('LTRIM', q.active, 0, -n - 1)
      return left
    end
    for _, id in ipairs(ids) do
      left[id] = false
    end
  end
  if n < 8 or redis.call('LLEN', q.active) > 4 * n then
    for _, id in ipairs(ids) do
      left[id] = left[id] or redis.call('LREM', q.active, -1, id) == 1
    end
    return left
  end
  local active, stay = redis.call('LRANGE', q.active, 0, -1), {}
  for _, id in ipairs(active) do
    if left[id] == false then
      left[id] = true
    else
      stay[#stay + 1] = id
    end
  end
  if #stay < #active then
    redis.call('DEL', q.active)
    many('RPUSH', q.active, stay)
  end
  return left
end

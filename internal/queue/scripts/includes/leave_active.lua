-- Takes ids out of active. Returns a table of those that were there.
-- A batch that is a good part of a short list is filtered out of it in one go;
-- else each id is looked for from the old end, where it most likely is.
-- @include many
local function leaveActive(q, ids)
  local left = {}
  if #ids < 8 or redis.call('LLEN', q.active) > 4 * #ids then
    for _, id in ipairs(ids) do
      left[id] = left[id] or redis.call('LREM', q.active, -1, id) == 1
    end
    return left
  end
  for _, id in ipairs(ids) do
    left[id] = false
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

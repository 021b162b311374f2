-- Sets an id aside whose job key is not a hash: nothing can be run, failed or
-- shown of it, and leaving it in a list would stop every worker. The key is
-- left as it is; the set tells the operator.
local function setAside(q, id, now)
  redis.pcall('ZADD', q.base .. 'qctl:corrupt', now, id)
end

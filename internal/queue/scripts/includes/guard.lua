-- Refuses a queue whose keys hold the wrong types, before anything is written:
-- Redis rolls nothing back, so a type error half-way would lose jobs.
-- base: key base. names: a text of the suffixes to check, or nil for all.
-- Returns nil, or an error reply that names the key.
local queueTypes = {
  meta = 'hash', id = 'string', wait = 'list', paused = 'list', active = 'list',
  prioritized = 'zset', delayed = 'zset', completed = 'zset', failed = 'zset',
  ['waiting-children'] = 'zset', marker = 'zset', pc = 'string', stalled = 'set',
  events = 'stream', limiter = 'string', ['repeat'] = 'zset', ['qctl:corrupt'] = 'zset', ['qctl:paused-schedules'] = 'hash',
  ['qctl:fence'] = 'string',
  ['metrics:completed'] = 'hash', ['metrics:completed:data'] = 'list',
  ['metrics:failed'] = 'hash', ['metrics:failed:data'] = 'list',
}

local function guard(base, names)
  for name in string.gmatch(names, '%S+') do
    local found = redis.call('TYPE', base .. name).ok
    if found ~= 'none' and found ~= queueTypes[name] then
      return redis.error_reply('WRONGTYPE ' .. base .. name .. ' holds a ' .. found .. ', not a ' .. queueTypes[name])
    end
  end
end

-- Runs a command whose arguments end in a list of any length, in pieces that
-- fit Lua's stack. The list holds single items or pairs.
local function many(command, key, list)
  for i = 1, #list, 1000 do
    redis.call(command, key, unpack(list, i, math.min(i + 999, #list)))
  end
end

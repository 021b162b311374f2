-- Takes entries out of a list by their places. LREM by id would walk the list
-- once for each; a text that stands for all of them goes in one walk, from the
-- end that is nearer. Both happen inside one script: nobody sees that text.
-- key: a list. places: from the left from 0, or from the right from -1, all
-- on the same side.
local function cut(key, places)
  if #places == 0 then
    return
  end
  for _, place in ipairs(places) do
    redis.call('LSET', key, place, '0:qctl-removed')
  end
  local length, place = redis.call('LLEN', key), places[1]
  local fromRight = place < 0 and -place or length - place
  redis.call('LREM', key, fromRight * 2 < length and -#places or #places, '0:qctl-removed')
end

-- Reads the next page of a walk over a sorted set, in the order of scores and
-- ids. The walk keeps its place by score and id, which need not be in the set
-- any more, and ends with the entry that was last when it began.
-- KEYS: 1 key base with its final colon
-- ARGV: 1 set suffix  2 page  3 lowest score or '-inf'  4 highest score or
--       '+inf'  then, after the first page, 5 score and 6 id of the last entry
--       that was returned, 7 score and 8 id of the walk's last entry
-- Returns: {ids, score of the last of them, score and id of the walk's last
--       entry}
-- Events: none
-- @include guard
-- @include walk
local wrong = guard(KEYS[1], ARGV[1])
if wrong then
  return wrong
end
local entries, endScore, endID =
  walk(KEYS[1] .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
local ids, score = {}, ''
for i = 1, #entries, 2 do
  ids[#ids + 1], score = entries[i], entries[i + 1]
end
return { ids, score, endScore, endID }

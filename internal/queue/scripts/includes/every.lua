-- The times of a scheduler with an interval (wire section 7.5). Times in ms.

-- The time after prev, or the first one when there is none; times that nobody
-- saw are skipped. offset: inside the interval, 0 for none. start: or nil.
local function nextEvery(prev, every, now, offset, start)
  local due
  if prev then
    due = prev + every
    if due >= now then
      return math.floor(due)
    end
    due = math.floor(now / every) * every + offset
  elseif start then
    return math.floor(math.max(start, now))
  elseif offset > 0 then
    due = math.floor(now / every) * every + offset
  else
    return math.floor(now)
  end
  return math.floor(due <= now and due + every or due)
end

-- The latest time after prev that has passed, or else the next one.
local function latestEvery(prev, every, now, offset)
  if prev + every > now then
    return math.floor(prev + every)
  end
  local due = math.floor(now / every) * every + offset
  if due > now then
    due = due - every
  end
  return math.floor(due > prev and due or prev + every)
end

-- Where in its interval a time lies.
local function offsetIn(due, every)
  return math.floor(due - math.floor(due / every) * every)
end

-- What wrk sends: wrk ... -s requests.lua URL -- BODIES
--
-- BODIES is a file of request bodies, one a line, used in turn. Prints one line of JSON at the end.

local bodies = {}
local next_body = 0
local threads = {}
-- Of one thread each; wrk reads them by name at the end.
ok, refused, other, other_status = 0, 0, 0, 0

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  local headers = {["Content-Type"] = "application/json"}
  for line in io.lines(arguments[1]) do
    table.insert(bodies, wrk.format("POST", nil, headers, line))
  end
end

function request()
  next_body = next_body % #bodies + 1
  return bodies[next_body]
end

function response(status)
  if status == 200 then
    ok = ok + 1
  elseif status == 429 or status == 503 then
    refused = refused + 1
  else
    other = other + 1
    other_status = status
  end
end

function done(summary, latency)
  local counts = {ok = 0, refused = 0, other = 0, other_status = 0}
  for _, thread in ipairs(threads) do
    for name, value in pairs(counts) do
      counts[name] = name == "other_status" and math.max(value, thread:get(name)) or value + thread:get(name)
    end
  end
  local errors = summary.errors
  io.write(string.format(
    '{"seconds": %.6f, "ok": %d, "refused": %d, "other": %d, "other_status": %d, "connect": %d, "read": %d, ' ..
    '"write": %d, "timeout": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.duration / 1e6, counts.ok, counts.refused, counts.other, counts.other_status, errors.connect, errors.read,
    errors.write, errors.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

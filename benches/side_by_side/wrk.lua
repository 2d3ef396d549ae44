-- Tells wrk's figures as JSON, latencies in microseconds. Paths given after `--` are asked for in turn.

local requests = {}
local at = 0

function init(paths)
   for _, path in ipairs(paths) do
      requests[#requests + 1] = wrk.format(nil, path)
   end
   if #requests > 0 then
      request = function()
         at = at % #requests + 1
         return requests[at]
      end
   end
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\nJSON {"requests":%d,"bytes":%d,"microseconds":%d,"p50":%d,"p99":%d,"max":%d,'
         .. '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
      summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end

-- One of the three workloads, for wrk:  wrk ... -s workload.lua URL -- get|list|patch ROWS SEED
-- Prints one JSON line at the end; benchmarks/load.py prints the same one where wrk is absent.

local counter = 0

function setup(thread)
  counter = counter + 1
  thread:set("number", counter)
end

function init(args)
  workload, rows = args[1], tonumber(args[2])
  math.randomseed(tonumber(args[3]) * 31 + number)
  local host = wrk.headers["Host"] or (wrk.host .. ":" .. wrk.port)
  head = " HTTP/1.1\r\nHost: " .. host .. "\r\nAccept: application/json\r\n"
  for name, value in pairs(wrk.headers) do
    if name ~= "Host" then head = head .. name .. ": " .. value .. "\r\n" end
  end
end

local make = {}

function make.get()
  return "GET /api/v1/users/" .. math.random(1, rows) .. head .. "\r\n"
end

function make.list()
  return "GET /api/v1/users?skip=" .. math.random(0, 999) .. "&limit=20&count=none" .. head .. "\r\n"
end

function make.patch()
  local body = '{"full_name":"Renamed ' .. math.random(1, 1000000) .. '"}'
  return "PATCH /api/v1/users/" .. math.random(1, rows) .. head
    .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function request()
  return make[workload]()
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

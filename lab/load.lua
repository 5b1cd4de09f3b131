-- SPDX-License-Identifier: BSD-2-Clause
-- load.lua - a bounded number of requests for wrk (with -t1), each with an id of its own in its URI
--
-- Arguments: NAME TOTAL THINK_MS CLOSE PATHS
--   NAME      begins every id
--   THINK_MS  each connection waits between nothing and twice as long before a request; 0: full speed
--   CLOSE     1: one request a connection
--   PATHS     path=weight,...; a path that begins with /upload gets a body
-- Prints "answered" once all responses are there: the caller ends wrk then. At the end, one line of JSON.

local name, total, think, paths
local sent, answered = 0, 0
local bodies = {}

function init(args)
	name, total, think = args[1], tonumber(args[2]), tonumber(args[3])
	paths = {}
	for path, weight in args[5]:gmatch("([^=,]+)=(%d+)") do
		for _ = 1, tonumber(weight) do
			paths[#paths + 1] = path
		end
	end
	if args[4] == "1" then
		wrk.headers["Connection"] = "close"
	end
	for i = 1, 16 do -- from a few bytes to several segments
		bodies[i] = string.rep(string.char(96 + i), 97 * i * i)
	end
	if think > 0 then
		delay = function()
			return math.random(0, 2 * think)
		end
	end
end

-- wrk calls it once before the load, only to look at the result: one id is never sent.
local first = true
function request()
	if not first and sent == total then
		return "" -- nothing to say: the connection stays silent
	end
	if not first then
		sent = sent + 1
	end
	first = false
	local path = paths[sent % #paths + 1] .. "?id=" .. name .. "-" .. sent
	if path:sub(1, 7) == "/upload" then
		return wrk.format("POST", path, nil, bodies[sent % #bodies + 1])
	end
	return wrk.format("GET", path)
end

function response()
	answered = answered + 1
	if answered == total then
		io.stdout:write("answered\n")
		io.stdout:flush()
	end
end

function done(summary, latency)
	local e = summary.errors
	io.stdout:write(string.format(
		'{"requests":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\n',
		summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(50), latency:percentile(99)))
end

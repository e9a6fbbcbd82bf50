-- What scripts see: made once for each interpreter, before any script runs.
--
-- Lua 5.1 knows no tables that cannot be written to. A locked table is therefore an empty one in front of the real one,
-- and what would write past its metatable, or look past it, knows of it. The real tables never reach a script.

local true_globals, native, modern = ...

local raw = {}
for name, value in next, true_globals do
  raw[name] = value
end
for _, library in next, { "string", "table", "coroutine" } do
  raw[library] = {}
  for name, value in next, true_globals[library] do
    raw[library][name] = value
  end
end

-- Nothing of this chunk can be reached by getfenv.
raw.setfenv(1, {})

local type, next, rawget, rawset, select = raw.type, raw.next, raw.rawget, raw.rawset, raw.select
local getmetatable, setmetatable, getfenv, setfenv = raw.getmetatable, raw.setmetatable, raw.getfenv, raw.setfenv
local pcall, xpcall, loadstring, unpack, error = raw.pcall, raw.xpcall, raw.loadstring, raw.unpack, raw.error
local find, byte, rep, sub = raw.string.find, raw.string.byte, raw.string.rep, raw.string.sub
local insert, remove, sort = raw.table.insert, raw.table.remove, raw.table.sort
local resume = raw.coroutine.resume
local plain, refuse, missing = native.plain, native.refuse, native.missing

-- What a script sees of a table, and the table.
local real = setmetatable({}, { __mode = "k" })
local fronts = {}

local function lock(table)
  if real[table] then
    return table
  end
  if fronts[table] then
    return fronts[table]
  end
  local front = {}
  fronts[table], real[front] = front, table
  for name, value in next, table do
    if type(value) == "table" then
      table[name] = lock(value)
    end
  end
  local meta = { __index = table, __newindex = refuse }
  setmetatable(front, meta)
  local shown = {}
  real[shown] = {}
  setmetatable(shown, { __newindex = refuse, __metatable = shown })
  meta.__metatable = shown
  return front
end

local seen = {}
for _, name in next, {
  "_VERSION", "assert", "error", "ipairs", "rawequal", "select", "tonumber", "tostring", "type", "gcinfo",
} do
  seen[name] = raw[name]
end
seen.math, seen.string, seen.table, seen.coroutine =
  true_globals.math, true_globals.string, true_globals.table, true_globals.coroutine
seen._G = seen

-- Errors of this side's functions are objects of its own until a script looks at them. `plain` fails itself where the
-- script has been killed, so that nothing catches that.
local function settle(worked, problem, ...)
  if worked then
    return true, problem, ...
  end
  problem = plain(problem)
  if modern and type(problem) == "table" then
    local text = rawget(problem, "err")
    if type(text) == "string" or type(text) == "number" then
      problem = text
    end
  end
  return false, problem, ...
end

function seen.pcall(...)
  return settle(pcall(...))
end

local function unkilled(worked, problem, ...)
  if not worked then
    problem = plain(problem)
  end
  return worked, problem, ...
end

function seen.xpcall(work, handle)
  local function handler(problem)
    return handle(plain(problem))
  end
  return unkilled(xpcall(work, handler))
end

function seen.coroutine.resume(...)
  return unkilled(resume(...))
end

function seen.next(table, key)
  return next(real[table] or table, key)
end

function seen.pairs(table)
  if real[table] then
    return seen.next, table, nil
  end
  return raw.pairs(table)
end

function seen.rawget(table, key)
  return rawget(real[table] or table, key)
end

function seen.rawset(table, key, value)
  if real[table] then
    refuse()
  end
  return rawset(table, key, value)
end

function seen.setmetatable(table, meta)
  if real[table] then
    refuse()
  end
  return setmetatable(table, meta)
end

seen.getmetatable = getmetatable

if not modern then
  function seen.setfenv(what, env)
    if type(what) ~= "number" then
      return setfenv(what, env)
    end
    if what < 1 then
      error("'setfenv' cannot change environment of given object", 2)
    end
    local changed = setfenv(what + 1, env)
    return changed
  end

  function seen.getfenv(what)
    if what == nil then
      what = 1
    end
    if type(what) == "number" and what > 0 then
      what = what + 1
    end
    local env = getfenv(what)
    return env
  end
end

local function few(list, first, last)
  local from, to = first or 1, last
  if type(from) == "number" then
    if to == nil and type(list) == "table" then
      to = #list
    end
    if type(to) == "number" and to - from >= 1000000 then
      error("too many results to unpack", 3)
    end
  end
end

function seen.unpack(...)
  few(...)
  return unpack(...)
end

function seen.collectgarbage(what, amount)
  if what == nil or what == "collect" or what == "count" or what == "step" then
    return raw.collectgarbage(what, amount)
  end
  return 0
end

-- No byte code: with a blank in front it is a text of strange signs. The name must not end before its string does, so that
-- it stays the string that is held here.
local function compile(text, name)
  if type(text) == "string" and byte(text, 1) == 27 then
    text, name = " " .. text, name or text
  end
  name = name or text
  if type(name) == "string" then
    local zero = find(name, "%z")
    if zero then
      name = sub(name, 1, zero - 1)
    end
  end
  local made, problem = loadstring(text, name)
  return made, problem, name
end

function seen.loadstring(text, name)
  local made, problem = compile(text, name)
  if made then
    return made
  end
  return nil, problem
end

function seen.load(give, name)
  local parts, size = {}, 0
  while true do
    local part = give()
    if part == nil or part == "" then
      break
    end
    if type(part) ~= "string" then
      return nil, "reader function must return a string"
    end
    size = size + 1
    parts[size] = part
  end
  local made, problem = compile(raw.table.concat(parts), name or "=(load)")
  if made then
    return made
  end
  return nil, problem
end

-- A pattern is matched by recursion, as deep as it is long. (Errors tell of functions by the names that they have here.)
local function bound(_, pattern)
  if type(pattern) == "string" and #pattern > 1500 and raw.string.find(pattern, "[%^%$%*%+%?%.%(%[%%%-]") then
    error("pattern too complex", 3)
  end
end

do
  local find, match, gmatch, gsub = raw.string.find, raw.string.match, raw.string.gmatch, raw.string.gsub

  function seen.string.find(...)
    bound(...)
    return find(...)
  end

  function seen.string.match(...)
    bound(...)
    return match(...)
  end

  function seen.string.gmatch(...)
    bound(...)
    return gmatch(...)
  end

  seen.string.gfind = raw.string.gfind and seen.string.gmatch

  function seen.string.gsub(...)
    bound(...)
    return gsub(...)
  end
end

function seen.string.rep(text, count)
  if text == "" then
    return ""
  end
  return rep(text, count)
end

function seen.table.insert(table, ...)
  if real[table] then
    refuse()
  end
  return insert(table, ...)
end

function seen.table.remove(table, ...)
  if real[table] then
    refuse()
  end
  return remove(table, ...)
end

function seen.table.sort(table, ...)
  if real[table] then
    refuse()
  end
  return sort(table, ...)
end

for name, library in next, native.libraries do
  seen[name] = library
end

for name, work in next, native.math do
  seen.math[name] = work
end

-- What is not there is an error to ask for.
local globals = lock(seen)
setmetatable(seen, { __index = missing })

-- While a library of functions is loaded, it sees nothing but a lesser `redis`.
local loading
if native.loading then
  for _, api in next, native.loading do
    setmetatable(api, { __index = missing })
  end
  loading = lock(native.loading)
  setmetatable(native.loading, { __index = missing })
end

local strings = getmetatable("")
strings.__index = globals.string
strings.__metatable = lock({ __index = globals.string })

local handler = native.handler

local function run(work, keys, arguments)
  seen.KEYS, seen.ARGV = keys, arguments
  return xpcall(work, handler)
end

local function call(work, keys, arguments)
  return xpcall(function()
    return work(keys, arguments)
  end, handler)
end

-- The same with the words themselves, of which so many are keys: tables are made faster here.
local function tables(count, ...)
  local all, total = { ... }, select("#", ...)
  if count == total then
    return all, {}
  elseif count == 0 then
    return {}, all
  end
  local keys, arguments = {}, {}
  for index = 1, count do
    keys[index] = all[index]
  end
  for index = count + 1, total do
    arguments[index - count] = all[index]
  end
  return keys, arguments
end

local function run_few(work, count, ...)
  seen.KEYS, seen.ARGV = tables(count, ...)
  return xpcall(work, handler)
end

local function call_few(work, count, ...)
  return call(work, tables(count, ...))
end

-- Functions keep the globals with which they were made, so those are a view that shows the one or the other.
local view = globals
local view_meta = { __index = globals, __newindex = refuse, __metatable = getmetatable(globals) }
if loading then
  view = setmetatable({}, view_meta)
  real[view] = seen
end

local function register(work)
  view_meta.__index = loading
  local worked, problem = xpcall(work, handler)
  view_meta.__index = globals
  return worked, problem
end

setfenv(0, view)
return compile, { run, run_few, call, call_few }, register

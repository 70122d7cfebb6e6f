-- How Argo CD shows an OAuthToken. Healthy says that a good token is served; what threatens it is in the message. Messages hold no times,
-- so that a renewal changes nothing. An OAuthToken that is being deleted never comes here: Argo CD shows it as Progressing by itself.
local os = require("os")

local spec, status = obj.spec or {}, obj.status or {}
local is = {} -- conditions that are True, by type
local ready
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" then
    is[condition.type] = condition
  end
  if condition.type == "Ready" then
    ready = condition
  end
end

local function says(condition)
  return condition.message .. " (" .. condition.reason .. ")"
end

-- Both are RFC 3339 in UTC and whole seconds, so the order of the texts is that of the times.
local expired = status.expiresAt ~= nil and status.expiresAt <= os.date("!%Y-%m-%dT%H:%M:%SZ")
local served = is.Ready ~= nil and not expired

-- The same form of an earlier time. Argo CD's os.date takes a number for local time, as its os.time takes a table: so the zone does not count.
local function minutesAgo(minutes)
  local time = os.date("!*t")
  time.min = time.min - minutes
  return os.date("%Y-%m-%dT%H:%M:%SZ", os.time(time))
end

-- What threatens a token that is served.
local function threats()
  local message = ""
  if is.RenewalFailing then
    message = message .. "; its renewal fails: " .. says(is.RenewalFailing)
  end
  if is.AuthorizationRequired and not (is.RenewalFailing and is.RenewalFailing.message == is.AuthorizationRequired.message) then
    message = message .. "; somebody must authorize in time: " .. says(is.AuthorizationRequired)
  end
  return message
end

-- Suspension is the spec's own word, so it is shown before the operator has seen it.
if served and spec.suspend == true then
  return {status = "Suspended", message = ready.message .. " and is not renewed: spec.suspend is true" .. threats()}
end
if ready == nil then
  return {status = "Progressing", message = "The operator has not looked at this OAuthToken yet: does it run, and does it serve this namespace?"}
end
-- What was said of an earlier spec would fail, or end, a sync that has just mended it.
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not looked at the newest spec yet"}
end
if served then
  return {status = "Healthy", message = ready.message .. threats()}
end
if is.Ready then
  return {status = "Degraded", message = "The token has expired, and the operator has not said so: does it run?"}
end
if ready.reason == "Suspended" then
  return {status = "Suspended", message = says(ready)}
end
if is.Stalled then
  return {status = "Degraded", message = says(ready)}
end
-- Whoever uses the token fails by now. Where none was ever served, waiting and trying again are progress; so is a request under way, for a
-- while.
if expired and ready.reason ~= "Requesting" and ready.reason ~= "TokenExpired" then
  return {status = "Degraded", message = "The token has expired, and its renewal fails: " .. says(ready)}
end
if expired and status.expiresAt < minutesAgo(5) then
  return {status = "Degraded", message = "The token expired minutes ago, and there is no new one: does the operator run? " .. says(ready)}
end
return {status = "Progressing", message = says(ready)}

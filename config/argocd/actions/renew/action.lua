-- Asks for one renewal. Any new value does; Argo CD's sandbox has no finer clock than seconds.
local os = require("os")

if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["tokensync.dev/renew-requested-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj

-- Which actions Argo CD offers for an OAuthToken: those that would do something.
if obj.metadata.deletionTimestamp ~= nil then
  return {}
end
if obj.spec.suspend == true then
  return {resume = {displayName = "Resume", iconClass = "fa fa-fw fa-play"}}
end
return {
  renew = {displayName = "Renew now", iconClass = "fa fa-fw fa-redo"},
  suspend = {displayName = "Suspend", iconClass = "fa fa-fw fa-pause"},
}

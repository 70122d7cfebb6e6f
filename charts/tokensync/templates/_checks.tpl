{{/* What the values schema can't tell, or not in words that help. */}}
{{- define "tokensync.checks" -}}
{{- $name := include "tokensync.fullname" . }}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $name) }}
{{- fail (printf "the names of objects would begin with %q, made of the release's name, which no Service can have: set fullnameOverride to a name of letters, digits and hyphens that begins with a letter." $name) }}
{{- end }}
{{- with .Values }}
{{- if and (gt (int .replicas) 1) (not .leaderElection) }}
{{- fail "replicas is more than 1 and leaderElection is off: every replica would request tokens of its own. Set leaderElection=true or replicas=1." }}
{{- end }}
{{- if and .portal.enabled (not .portal.url) }}
{{- fail "portal.enabled is on without portal.url: set the address that browsers see, such as https://tokensync.example.com." }}
{{- end }}
{{- if and (not .portal.enabled) (or .portal.ingress.enabled .portal.httpRoute.enabled) }}
{{- fail "portal.ingress and portal.httpRoute lead to the portal, which is off: set portal.enabled=true and portal.url." }}
{{- end }}
{{- if and .portal.httpRoute.enabled (not .portal.httpRoute.parentRefs) }}
{{- fail "portal.httpRoute.enabled is on without portal.httpRoute.parentRefs: name the Gateway that it belongs to." }}
{{- end }}
{{- if and .metrics.serviceMonitor.enabled (not .metrics.enabled) }}
{{- fail "metrics.serviceMonitor.enabled is on and metrics.enabled is off: there would be nothing to read." }}
{{- end }}
{{- if and (not .serviceAccount.create) (not .serviceAccount.name) .rbac.create }}
{{- fail "serviceAccount.create is off without serviceAccount.name: the manager's rights would go to the namespace's default ServiceAccount, and with them to every pod that uses it. Name yours." }}
{{- end }}
{{- if eq (.kubeAPI.qps | toString) "0" }}
{{- fail "kubeAPI.qps is 0: set -1 for no limit, or leave it empty for the manager's own." }}
{{- end }}
{{- range .extraArgs }}
{{- if regexMatch "^--leader-elect(=|$)" . }}
{{- fail "extraArgs has --leader-elect: set the value leaderElection, which is compared with replicas." }}
{{- end }}
{{- end }}
{{- range .env }}
{{- if eq .name "POD_NAMESPACE" }}
{{- fail "env has POD_NAMESPACE, which the chart itself sets: the manager's own namespace is the release's." }}
{{- end }}
{{- end }}
{{- range $name, $entry := .vendors }}
{{- if and $entry.name (ne $entry.name $name) }}
{{- fail (printf "vendors.%s has the name %q: leave the name out, or make both the same." $name $entry.name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

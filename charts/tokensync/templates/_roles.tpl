{{/* A role and its binding to the manager: context, name, rules, and namespace or cluster. */}}
{{- define "tokensync.role" -}}
{{- $prefix := ternary "Cluster" "" (.cluster | default false) }}
{{- $metadata := include "tokensync.metadata" . | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}Role
metadata:
  {{- $metadata }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}RoleBinding
metadata:
  {{- $metadata }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $prefix }}Role
  name: {{ printf "%s-%s" (include "tokensync.fullname" .context) .name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ include "tokensync.serviceAccountName" .context | quote }}
    namespace: {{ .context.Release.Namespace | quote }}
{{- end -}}

{{/* What the replicas need to agree on who leads. Leader election writes its event in the core group. */}}
{{- define "tokensync.leaderElectionRules" }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [tokensync-manager]
  verbs: [get, update]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* The key of the request hashes, where the rules above don't reach. `create` can't be limited to a name. */}}
{{- define "tokensync.hashKeyRules" }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [tokensync-hash-key]
  verbs: [get]
{{- end }}

{{/* The metrics endpoint asks the API server who is calling and whether they may. */}}
{{- define "tokensync.metricsRules" }}
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}

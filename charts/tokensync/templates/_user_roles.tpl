{{/*
Roles for people: cluster-wide they are added to the cluster's own admin, edit and view. None gives access to Secrets, so that who declares a
token need not be able to read one.
*/}}
{{- define "tokensync.userRoles" }}
{{- $kind := ternary "ClusterRole" "Role" (.place.cluster | default false) }}
{{- $editor := dict "rbac.authorization.k8s.io/aggregate-to-admin" "true" "rbac.authorization.k8s.io/aggregate-to-edit" "true" }}
{{- /* With a portal, the status may hold a link by which its reader can connect an account: not for everybody with `view`. */ -}}
{{- $viewer := ternary dict (dict "rbac.authorization.k8s.io/aggregate-to-view" "true") .context.Values.portal.enabled }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "tokensync.metadata" (merge (dict "context" .context "name" "oauthtoken-editor" "labels" $editor) .place) | nindent 2 }}
rules:
  - apiGroups: [tokensync.dev]
    resources: [oauthtokens]
    verbs: [create, delete, deletecollection, get, list, patch, update, watch]
  - apiGroups: ["", events.k8s.io]
    resources: [events]
    verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "tokensync.metadata" (merge (dict "context" .context "name" "oauthtoken-viewer" "labels" $viewer) .place) | nindent 2 }}
rules:
  - apiGroups: [tokensync.dev]
    resources: [oauthtokens]
    verbs: [get, list, watch]
  - apiGroups: ["", events.k8s.io]
    resources: [events]
    verbs: [get, list, watch]
{{- end }}

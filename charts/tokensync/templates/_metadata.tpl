{{/* The pods' labels. The release's name is not in them: a namespace has room for one Tokensync, whose Lease and hash key have fixed names. */}}
{{- define "tokensync.selector" -}}
app.kubernetes.io/name: tokensync
app.kubernetes.io/component: manager
{{- end -}}

{{/*
The metadata of an object, from a map: context, name (its ending, or the whole of it as fullName), component, labels, annotations, and where
it is: namespace, by default the release's, or cluster: true.
*/}}
{{- define "tokensync.metadata" -}}
{{- $labels := dict
  "app.kubernetes.io/name" "tokensync"
  "app.kubernetes.io/instance" .context.Release.Name
  "app.kubernetes.io/managed-by" .context.Release.Service
  "helm.sh/chart" (include "tokensync.chart" .context) -}}
{{- with .component }}{{ $_ := set $labels "app.kubernetes.io/component" . }}{{ end -}}
name: {{ .fullName | default (printf "%s-%s" (include "tokensync.fullname" .context) .name) | quote }}
{{- if not .cluster }}
namespace: {{ .namespace | default .context.Release.Namespace | quote }}
{{- end }}
labels:
  {{- merge $labels (.labels | default dict) .context.Values.commonLabels | toYaml | nindent 2 }}
{{- with merge dict (.annotations | default dict) .context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The manager's flags. One that is left at the manager's own default is not passed, so that a new release can choose a better one. The user's own come
last: of a flag that is given twice, the last one counts.
*/}}
{{- define "tokensync.arguments" -}}
- --leader-elect{{ if not .Values.leaderElection }}=false{{ end }}
- --metrics-bind-address={{ if .Values.metrics.enabled }}:{{ .Values.metrics.port }}{{ else }}0{{ end }}
{{- if and .Values.metrics.enabled (not (include "tokensync.metricsAuthorization" .)) }}
- --metrics-authorization=false
{{- end }}
- --health-probe-bind-address=:{{ .Values.health.port }}
{{- range $flag, $values := dict "namespaces" .Values.namespaces "allowed-hosts" .Values.allowedHosts "insecure-http-hosts" .Values.insecureHTTPHosts }}
{{- with $values }}
- {{ printf "--%s=%s" $flag (join "," .) | quote }}
{{- end }}
{{- end }}
{{- range $flag, $on := dict "allow-loopback" .Values.allowLoopback "enable-implicit" .Values.enableImplicit "zap-devel" .Values.logging.development }}
{{- if $on }}
- --{{ $flag }}
{{- end }}
{{- end }}
{{- range $flag, $number := dict "max-concurrent-reconciles" .Values.maxConcurrentReconciles "kube-api-qps" .Values.kubeAPI.qps "kube-api-burst" .Values.kubeAPI.burst }}
{{- if not (kindIs "invalid" $number) }}
- --{{ $flag }}={{ toJson $number }}
{{- end }}
{{- end }}
{{- range $flag, $text := dict "zap-log-level" .Values.logging.level "zap-encoder" .Values.logging.encoder "zap-time-encoding" .Values.logging.timeEncoding "zap-stacktrace-level" .Values.logging.stacktraceLevel }}
{{- with $text }}
- {{ printf "--%s=%v" $flag . | quote }}
{{- end }}
{{- end }}
{{- if .Values.vendors }}
- --vendors-dir=/etc/tokensync/vendors
{{- end }}
{{- if .Values.portal.enabled }}
- --portal-bind-address=:{{ .Values.portal.port }}
- {{ printf "--portal-url=%s" .Values.portal.url | quote }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ quote . }}
{{- end }}
{{- end -}}

{{- define "tokensync.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The names of objects begin with it. It leaves room for the longest ending. */}}
{{- define "tokensync.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $name = .Release.Name -}}
{{- else -}}
{{- $name = printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- trunc 40 $name | trimSuffix "-" -}}
{{- end -}}

{{- define "tokensync.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "tokensync.fullname" . -}}-manager
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- define "tokensync.priorityClassName" -}}
{{- if .Values.priorityClass.name -}}
{{- .Values.priorityClass.name -}}
{{- else if and .Values.priorityClass.create (not .Values.namespaces) -}}
{{- include "tokensync.fullname" . -}}-manager
{{- end -}}
{{- end -}}

{{/* Whether the API server is asked who reads metrics. It takes a right on the whole cluster, which a release for some namespaces lacks. */}}
{{- define "tokensync.metricsAuthorization" -}}
{{- if and .Values.metrics.enabled (ternary (not .Values.namespaces) .Values.metrics.authorization (kindIs "invalid" .Values.metrics.authorization)) -}}
true
{{- end -}}
{{- end -}}

{{- define "tokensync.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

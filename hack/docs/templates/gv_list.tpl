{{- define "gvList" -}}
<!-- Written by `make generate` from the comments in api/v1alpha1: change them there. -->
# API reference

{{ range . -}}
{{ template "gvDetails" . }}
{{- end }}
{{- end -}}

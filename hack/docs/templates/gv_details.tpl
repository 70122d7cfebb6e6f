{{- define "gvDetails" -}}
`apiVersion: {{ .GroupVersionString }}`. The same text is in a cluster: `kubectl explain oauthtoken.spec`. What the conditions and their reasons
mean is in the [failure guide](../failures.md), what the Secrets hold in [concepts](../concepts.md#the-secrets).

{{ $gv := . -}}
{{ range list "OAuthToken" "OAuthTokenSpec" "OAuthTokenStatus" -}}
{{ template "type" index $gv.Types . }}
{{- end }}
{{- range .SortedTypes }}
{{- if not (has .Name (list "OAuthToken" "OAuthTokenSpec" "OAuthTokenStatus")) }}
{{- template "type" . }}
{{- end }}
{{- end }}
{{- end -}}

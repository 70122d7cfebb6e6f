{{- define "type" -}}
{{- $type := . -}}
{{- if markdownShouldRenderType . -}}
## {{ .Name }}

{{ template "text" .Doc }}
{{ with .SortedReferences }}
Used in {{ range $i, $t := . }}{{ if $i }}, {{ end }}{{ markdownRenderTypeLink $t }}{{ end }}.
{{ end }}
{{- if .EnumValues }}
{{ range .EnumValues }}- `{{ .Name }}`{{ with .Doc }}: {{ template "text" regexReplaceAll "^[A-Za-z0-9]+ " . "" }}{{ end }}
{{ end }}
{{- else if .IsAlias }}
{{ markdownRenderTypeLink .UnderlyingType }}{{ range .Validation }}; {{ template "limit" . }}{{ end }}
{{ else }}
| field | type | description | limits |
|---|---|---|---|
{{ with .GVK -}}
| `apiVersion` | string | `{{ .Group }}/{{ .Version }}` | required |
| `kind` | string | `{{ .Kind }}` | required |
{{ end -}}
{{ range .Members -}}
{{ if and (eq .Name "metadata") $type.GVK -}}
| `metadata` | {{ markdownRenderType .Type }} | as of every object; the name has at most 200 characters | |
{{ else -}}
| `{{ .Name }}` | {{ markdownRenderType .Type | replace "integer array" "string, in base64" }} | {{ template "text" .Doc }} | {{ template "limits" .Validation }} |
{{ end -}}
{{ end -}}
{{ end }}
{{ end -}}
{{- end -}}

{{- define "text" -}}
{{ . | replace "\n" " " | replace "|" "\\|" | replace "<" "&lt;" | replace "*" "\\*" | trim }}
{{- end -}}

{{- define "limits" -}}
{{- $shown := list -}}
{{- range . -}}
{{- if not (or (hasPrefix "Optional" .) (hasPrefix "Enum" .) (hasPrefix "Type:" .) (hasPrefix "Schemaless" .) (hasPrefix "items:" .)) -}}{{- $shown = append $shown . -}}{{- end -}}
{{- end -}}
{{ range $i, $rule := $shown }}{{ if $i }}, {{ end }}{{ template "limit" $rule }}{{ end }}
{{- end -}}

{{- define "limit" -}}
{{- if hasPrefix "Required" . -}}required
{{- else if hasPrefix "MaxLength: " . -}}at most {{ trimPrefix "MaxLength: " . }} characters
{{- else if hasPrefix "MaxItems: " . -}}at most {{ trimPrefix "MaxItems: " . }} items
{{- else if hasPrefix "MaxProperties: " . -}}at most {{ trimPrefix "MaxProperties: " . }} entries
{{- else if hasPrefix "Minimum: " . -}}at least {{ trimPrefix "Minimum: " . }}
{{- else if hasPrefix "Maximum: " . -}}at most {{ trimPrefix "Maximum: " . | float64 | int64 }}
{{- else -}}{{ . }}
{{- end -}}
{{- end -}}

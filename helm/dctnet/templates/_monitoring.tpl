{{/* Regular expression for the names of this release's replicas: the pods of a release whose name goes on
after a dash have a part more. Kubernetes cuts a long name before the 5 characters that it appends. */}}
{{- define "dctnet.podNamePattern" -}}
{{- $name := include "dctnet.fullname" . -}}
{{- $suffix := "[a-z0-9]{1,10}-[a-z0-9]{5}" -}}
{{- if gt (len $name) 46 -}}
{{- $suffix = printf "(%s|[a-z0-9]{%d})" $suffix (sub 62 (len $name)) -}}
{{- end -}}
{{ $name }}-{{ $suffix }}
{{- end -}}

{{/* Endpoint fields that ServiceMonitor and PodMonitor share. */}}
{{- define "dctnet.scrapeEndpoint" -}}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

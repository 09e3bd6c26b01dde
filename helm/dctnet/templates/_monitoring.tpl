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

{{/* Errors with these statuses that a proxy sent in 10 minutes, less those of the replicas. Arguments: root,
source, statuses. */}}
{{- define "dctnet.proxyErrors" -}}
{{- $statuses := join "|" .statuses -}}
{{- $own := printf `namespace=%q, pod=~%q, route=~"/v1/cartoons|/upload", code=~%q` (include "dctnet.namespace" .root) (include "dctnet.podNamePattern" .root) $statuses -}}
({{ include "dctnet.sloRequests" (merge (dict "codes" $statuses) .) | replace "WINDOW" "10m" }} - (sum(max by (pod, route, method, code) (increase(dctnet_requests_total{ {{- $own -}} }[10m]))) or vector(0)))
{{- end -}}

{{/* Rules of files/rules and of slo, with the changes and the additional groups of metrics.prometheusRule. Alerts
about this release get its labels, which those about every release have. */}}
{{- define "dctnet.rules" -}}
{{- $values := .Values.metrics.prometheusRule -}}
{{- $groups := list -}}
{{- $known := list -}}
{{- $every := (.Files.Get "files/rules/dctnet.yaml" | fromYaml).groups -}}
{{- $own := list (tpl (.Files.Get "files/rules/release.yaml") . | fromYaml) (include "dctnet.sloRules" . | fromYaml) -}}
{{- range $own -}}
{{- range .rules -}}
{{- $_ := set . "labels" (merge (.labels | default dict) (dict "namespace" (include "dctnet.namespace" $) "job" $.Release.Name)) -}}
{{- end -}}
{{- end -}}
{{- range $group := concat $every $own -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- $changes := get $values.alerts ($rule.alert | default "") | default dict -}}
{{- if $rule.alert -}}
{{- $known = append $known $rule.alert -}}
{{- with $changes.for }}{{- $_ := set $rule "for" . -}}{{- end -}}
{{- if hasKey $changes "threshold" -}}
{{- if ne 1 (regexFindAll " [<>] [0-9.]+" $rule.expr -1 | len) -}}
{{- fail (printf "dctnet: metrics.prometheusRule.alerts.%s.threshold is set, but this alert has no threshold: remove it." $rule.alert) -}}
{{- end -}}
{{- $_ := set $rule "expr" (regexReplaceAll " ([<>]) [0-9.]+" $rule.expr (printf " ${1} %v" $changes.threshold)) -}}
{{- end -}}
{{- $severity := dict "severity" ($changes.severity | default $rule.labels.severity) -}}
{{- $_ := set $rule "labels" (merge $severity $rule.labels $values.alertLabels) -}}
{{- if $values.runbookUrl -}}
{{- $url := regexReplaceAll "^[^#]*" $rule.annotations.runbook $values.runbookUrl -}}
{{- $_ := set $rule "annotations" (merge (dict "runbook_url" $url) (omit $rule.annotations "runbook")) -}}
{{- end -}}
{{- end -}}
{{- if dig "enabled" true $changes -}}{{- $rules = append $rules $rule -}}{{- end -}}
{{- end -}}
{{- with $rules -}}{{- $groups = append $groups (dict "name" $group.name "rules" .) -}}{{- end -}}
{{- end -}}
{{- range $alert, $_ := $values.alerts -}}
{{- if not (has $alert $known) -}}
{{- fail (printf "dctnet: metrics.prometheusRule.alerts has %s, but the alerts are %s." $alert (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- $groups = concat $groups $values.additionalGroups -}}
{{- $names := list -}}
{{- range $groups -}}
{{- if has .name $names -}}
{{- fail (printf "dctnet: the PrometheusRule would have two groups with the name %s: rename one in metrics.prometheusRule.additionalGroups." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- dict "groups" $groups | toYaml -}}
{{- end -}}

{{/* Labels of the service's metrics, as JSON. Tests compare them with those of a replica. */}}
{{- define "dctnet.metricLabels" -}}
{{- list "code" "digest" "le" "method" "model" "outcome" "reason" "resource" "result" "revision" "route" "runtime" "stage" "state" "style" "version" | toJson -}}
{{- end -}}

{{/* Fields of the spec that ServiceMonitor and PodMonitor share. Arguments: root, monitor. */}}
{{- define "dctnet.scrapeSpec" -}}
{{- with .monitor -}}
jobLabel: {{ .jobLabel | quote }}
{{- with .podTargetLabels }}
podTargetLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .sampleLimit }}
sampleLimit: {{ int64 . }}
{{- end }}
{{- if .namespace }}
namespaceSelector:
  matchNames:
    - {{ include "dctnet.namespace" $.root | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Endpoint fields that ServiceMonitor and PodMonitor share. */}}
{{- define "dctnet.scrapeEndpoint" -}}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
{{- if eq .scheme "https" }}
scheme: https
{{- end }}
{{- with .tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .honorLabels }}
honorLabels: true
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

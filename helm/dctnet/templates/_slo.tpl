{{/* Service level objectives: recording rules and burn rate alerts, generated from `slo`. */}}

{{/* Histogram buckets that the latency is measured by, as JSON; Envoy's do not tell rejections from cartoons. */}}
{{- define "dctnet.sloBuckets" -}}
{{- $service := list 0.05 0.1 0.25 0.5 1 2 4 8 15 30 60 -}}
{{- ternary .Values.slo.latency.nginxBuckets $service (eq .Values.slo.source "ingress-nginx") | toJson -}}
{{- end -}}

{{- define "dctnet.sloLatencyBound" -}}
{{- $bound := .Values.slo.latency.bound -}}
{{- if kindIs "invalid" $bound -}}
{{- range include "dctnet.sloBuckets" . | fromJsonArray -}}
{{- if le (mulf . 4) (float64 $.Values.timeouts.request) -}}{{- $bound = . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $bound -}}
{{- end -}}

{{/* Requests of an outcome in a WINDOW, from the source's counters. A pod that is scraped twice counts once.
Arguments: root, source, outcomes (of ok, error, rejected), or codes of a proxy, and le, a bucket. */}}
{{- define "dctnet.sloRequests" -}}
{{- $namespace := include "dctnet.namespace" .root -}}
{{- $name := include "dctnet.fullname" .root -}}
{{- $statuses := dict "ok" "[23].." "error" "5(0[0-24-9]|[1-9].)" "rejected" "429|503" -}}
{{- $codes := list -}}
{{- range .outcomes -}}{{- $codes = append $codes (get $statuses .) -}}{{- end -}}
{{- $codes = .codes | default (join "|" $codes) -}}
{{- $le := "" -}}
{{- with .le -}}{{- $le = printf `, le=~"%s([.]0)?"` (. | toString | replace "." "[.]") -}}{{- end -}}
{{- if eq .source "service" -}}
{{- $metric := printf "dctnet_request_duration_seconds_%s" (ternary "bucket" "count" (ne $le "")) -}}
sum(max by (pod, route, outcome) (increase({{ $metric }}{namespace={{ quote $namespace }}, pod=~{{ include "dctnet.podNamePattern" .root | quote }}, route=~"/v1/cartoons|/upload", outcome=~{{ join "|" .outcomes | quote }}{{ $le }}}[WINDOW])))
{{- else if eq .source "ingress-nginx" -}}
{{- /* Only cartoons are requested by POST. Without honorLabels Prometheus renames the namespace of the Ingress. */ -}}
{{- $metric := ternary "nginx_ingress_controller_request_duration_seconds_bucket" "nginx_ingress_controller_requests" (ne $le "") -}}
{{- $selector := printf `ingress=%q, method="POST", status=~%q%s` $name $codes $le -}}
sum(max by (controller_pod, host, path, canary, status) (increase({{ $metric }}{exported_namespace={{ quote $namespace }}, {{ $selector }}}[WINDOW]) or increase({{ $metric }}{exported_namespace="", namespace={{ quote $namespace }}, {{ $selector }}}[WINDOW])))
{{- else -}}
sum(max by (pod, envoy_response_code) (increase(envoy_cluster_upstream_rq{envoy_cluster_name="httproute/{{ $namespace }}/{{ $name }}/rule/0", envoy_response_code=~{{ quote $codes }}}[WINDOW])))
{{- end -}}
{{- end -}}

{{/* The objectives: what is a request and what a bad one, and the burn rates that page, as FACTOR, LONG and
SHORT window. Acceptance pages later, because autoscaling and clients that retry need time. Latency pages also when
half of the cartoons are slow for half an hour: its budget is so large that 14.4 times as many last longer. */}}
{{- define "dctnet.slos" -}}
{{- $source := .Values.slo.source -}}
{{- $latencySource := ternary "ingress-nginx" "service" (eq $source "ingress-nginx") -}}
{{- $bound := include "dctnet.sloLatencyBound" . -}}
{{- $done := dict "root" . "source" $latencySource "outcomes" (list "ok") -}}
availability:
  requests: {{ include "dctnet.sloRequests" (dict "root" . "source" $source "outcomes" (list "ok" "error")) | toJson }}
  bad: {{ include "dctnet.sloRequests" (dict "root" . "source" $source "outcomes" (list "error")) | toJson }}
  pages: [["14.4", 1h, 5m], ["6", 6h, 30m]]
  summary: accepted requests get an error
  description: Clients get 500, 502 or 504; the panel "Request rate by status" shows which.
latency:
  requests: {{ include "dctnet.sloRequests" $done | toJson }}
  bad: {{ printf "clamp_min(%s - %s, 0)" (include "dctnet.sloRequests" $done) (include "dctnet.sloRequests" (merge (dict "le" $bound) $done)) | toJson }}
  pages: [["14.4", 1h, 5m], ["6", 6h, 30m], ["10", 30m, 5m]]
  summary: cartoons take longer than {{ $bound }} s
  description: Clients wait, and may give up. The panel "Average duration by stage" shows the cause.
acceptance:
  requests: {{ include "dctnet.sloRequests" (dict "root" . "source" $source "outcomes" (list "ok" "error" "rejected")) | toJson }}
  bad: {{ include "dctnet.sloRequests" (dict "root" . "source" $source "outcomes" (list "rejected")) | toJson }}
  pages: [["6", 6h, 30m]]
  summary: requests are rejected
  description: Demand exceeds capacity, and clients get 429 or 503. The panel "Rejections by reason" shows why.
{{- end -}}

{{/* Condition of a burn rate alert: the budget burns FACTOR times too fast, over the LONG window and still in the
SHORT one, where enough requests are bad. Arguments: root, labels, budget, burn. */}}
{{- define "dctnet.sloBurn" -}}
{{- $bad := printf "namespace_job_slo:dctnet_slo_bad_requests:increase%%s{%s}" .labels -}}
{{- $short := last .burn | printf $bad -}}
({{ $short }} >= {{ .root.Values.slo.minBadRequests }}
{{- range rest .burn }} and {{ printf $bad . }} > ({{ first $.burn }} * {{ $.budget }}) * namespace_job_slo:dctnet_slo_requests:increase{{ . }}{ {{- $.labels -}} }{{ end }})
{{- end -}}

{{/* Group of rules. Counts are recorded, not ratios, so that a time without requests gives 0 and not NaN. */}}
{{- define "dctnet.sloRules" -}}
{{- $requests := "namespace_job_slo:dctnet_slo_requests:increase" -}}
{{- $bad := "namespace_job_slo:dctnet_slo_bad_requests:increase" -}}
{{- $all := printf "namespace=%q, job=%q" (include "dctnet.namespace" .) .Release.Name -}}
{{- $window := printf "%dd" (int .Values.slo.windowDays) -}}
{{- $slos := include "dctnet.slos" . | fromYaml -}}
name: dctnet.slo
rules:
{{- range $slo, $settings := $slos }}
{{- $labels := printf "%s, slo=%q" $all $slo }}
{{- $static := dict "namespace" (include "dctnet.namespace" $) "job" $.Release.Name "slo" $slo | toJson }}
  - record: namespace_job_slo:dctnet_slo_objective:ratio
    expr: vector({{ divf (get $.Values.slo $slo).objective 100 | printf "%.6g" }})
    labels: {{ $static }}
  {{- range list "5m" "30m" "1h" "6h" }}
  - record: {{ $requests }}{{ . }}
    expr: {{ $settings.requests | replace "WINDOW" . | toJson }}
    labels: {{ $static }}
  - record: {{ $bad }}{{ . }}
    expr: {{ printf "%s or on () 0 * %s%s{%s}" ($settings.bad | replace "WINDOW" .) $requests . $labels | toJson }}
    labels: {{ $static }}
  {{- end }}
{{- end }}
{{- range list $requests $bad }}
  # Sums of recorded counts, in windows that do not overlap: days of raw counters would be slow to read.
  - record: {{ . }}3d
    expr: {{ printf "sum_over_time(%s5m{%s}[3d:5m])" . $all | toJson }}
  - record: {{ . }}{{ $window }}
    expr: {{ printf "sum_over_time(%s1h{%s}[%s:1h])" . $all $window | toJson }}
{{- end }}
  # 1 without requests.
  - record: namespace_job_slo:dctnet_slo_error_budget:ratio
    expr: >-
      1 - {{ $bad }}{{ $window }}{ {{- $all -}} } / ((1 - namespace_job_slo:dctnet_slo_objective:ratio) * ({{ $requests }}{{ $window }} > 0))
      or 0 * {{ $requests }}{{ $window }}{ {{- $all -}} } + 1
{{- range $slo, $settings := $slos }}
{{- $budget := subf 100 (get $.Values.slo $slo).objective | mulf 0.01 | printf "%.6g" }}
{{- range $speed, $burns := dict "Fast" $settings.pages "Slow" (list (list "1" "3d" "6h")) }}
  {{- $conditions := list }}
  {{- range $burns }}
  {{- $conditions = append $conditions (include "dctnet.sloBurn" (dict "root" $ "labels" (printf "%s, slo=%q" $all $slo) "budget" $budget "burn" .)) }}
  {{- end }}
  - alert: Dctnet{{ title $slo }}{{ $speed }}Burn
    expr: {{ join " or " $conditions | toJson }}
    labels: {severity: {{ ternary "critical" "warning" (eq $speed "Fast") }}}
    annotations:
      summary: {{ printf "dctnet %s/%s burns its %s budget: too many %s." (include "dctnet.namespace" $) $.Release.Name $slo $settings.summary | toJson }}
      description: {{ printf "%s At %s the budget of %s would be exhausted %s." $settings.description "this rate" $window (ternary "within days" "before it renews" (eq $speed "Fast")) | toJson }}
      runbook: docs/runbook.md#dctnet{{ $slo }}{{ lower $speed }}burn
{{- end }}
{{- end }}
{{- end -}}

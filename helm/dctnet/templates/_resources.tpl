{{/* What a replica may take, in bytes and processors. */}}

{{/* A quantity of processors in thousandths: "2", 1.5 or "1500m". */}}
{{- define "dctnet.millis" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}{{ trimSuffix "m" $text | int64 }}
{{- else -}}{{ mulf (float64 $text) 1000.0 | int64 }}
{{- end -}}
{{- end -}}

{{- define "dctnet.slots" -}}
{{- if .Values.slots -}}{{ .Values.slots }}
{{- else -}}
{{- $limit := dig "limits" "cpu" "2" .Values.resources | default "2" -}}
{{- max 1 (div (include "dctnet.millis" $limit | int64) 1000) -}}
{{- end -}}
{{- end -}}

{{/* The bound that docs/serving.md states, in MiB: 300 for the process, or 3,000 with TensorFlow;
150 and 32 bytes a pixel for each slot; every body that may be held; 100 KiB for each thread. */}}
{{- define "dctnet.memoryLimit" -}}
{{- $slots := include "dctnet.slots" . | int64 -}}
{{- $places := add .Values.queue .Values.uploads -}}
{{- $process := ternary 3000 300 (eq (include "dctnet.variant" .) "tensorflow") -}}
{{- $pictures := mul $slots (add 150 (div (mul 32 (int64 .Values.limits.pixels)) 1048576)) -}}
{{- $bodies := div (mul $places (int64 .Values.limits.bytes)) 1048576 -}}
{{- $threads := div (mul 100 (add $slots $places 256)) 1024 -}}
{{- add $process $pictures $bodies $threads -}}Mi
{{- end -}}

{{/* A quantity of memory in bytes: "640Mi", "2G" or a number. */}}
{{- define "dctnet.bytes" -}}
{{- if kindIs "string" . -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- $units := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- mulf (float64 $number) (get $units (trimPrefix $number .)) | int64 -}}
{{- else -}}{{ int64 . }}
{{- end -}}
{{- end -}}

{{/* A default request is never over a limit that someone has lowered. */}}
{{- define "dctnet.resources" -}}
{{- $memory := ternary "1500Mi" "640Mi" (eq (include "dctnet.variant" .) "tensorflow") -}}
{{- $limits := merge (deepCopy (.Values.resources.limits | default dict)) (dict "cpu" "2" "memory" (include "dctnet.memoryLimit" .)) -}}
{{- $requests := dict
    "cpu" (ternary "1" $limits.cpu (ge (include "dctnet.millis" $limits.cpu | int64) 1000))
    "memory" (ternary $memory $limits.memory (ge (include "dctnet.bytes" $limits.memory | int64) (include "dctnet.bytes" $memory | int64))) -}}
{{- mergeOverwrite (dict "requests" $requests "limits" $limits) (deepCopy .Values.resources) | toYaml -}}
{{- end -}}

{{- define "dctnet.startupFailures" -}}
{{- $derived := ternary 300 120 (eq (include "dctnet.variant" .) "tensorflow") -}}
{{- kindIs "invalid" .Values.probes.startup.failureThreshold | ternary $derived .Values.probes.startup.failureThreshold -}}
{{- end -}}

{{- define "dctnet.progressDeadline" -}}
{{- $start := mul (include "dctnet.startupFailures" .) .Values.probes.startup.periodSeconds -}}
{{- $fetching := ternary 900 0 (eq (include "dctnet.fetches" .) "true") -}}
{{- kindIs "invalid" .Values.progressDeadlineSeconds | ternary (add $start $fetching 60) .Values.progressDeadlineSeconds -}}
{{- end -}}

{{/* The fewest replicas that the release has on purpose. */}}
{{- define "dctnet.leastReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled -}}
{{- end -}}

{{/* Resources of a replica, and what is derived from them. */}}

{{/* Millicores of a CPU quantity: "2", 1.5 or "1500m". */}}
{{- define "dctnet.cpuMillicores" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}{{ trimSuffix "m" $text | int64 }}
{{- else -}}{{ mulf (float64 $text) 1000.0 | int64 }}
{{- end -}}
{{- end -}}

{{- define "dctnet.inferenceSlots" -}}
{{- if .Values.inference.slots -}}{{ .Values.inference.slots }}
{{- else -}}
{{- $limit := dig "limits" "cpu" "2" .Values.resources | default "2" -}}
{{- max 1 (div (include "dctnet.cpuMillicores" $limit | int64) 1000) -}}
{{- end -}}
{{- end -}}

{{/* Threads per image; with `auto` the CPU limit, as in the service. */}}
{{- define "dctnet.inferenceThreads" -}}
{{- if eq (toString .Values.inference.threads) "auto" -}}
{{- $limit := dig "limits" "cpu" "2" .Values.resources | default "2" -}}
{{- max 1 (div (include "dctnet.cpuMillicores" $limit | int64) 1000) -}}
{{- else -}}{{ int64 .Values.inference.threads }}
{{- end -}}
{{- end -}}

{{/* Memory bound of a replica, in MiB, rounded up. The formula is that of service/dctnet/memory.py, which
explains its constants; tests compare the two. */}}
{{- define "dctnet.memoryLimit" -}}
{{- $KiB := 1024 -}}
{{- $MiB := 1048576 -}}
{{- $slots := include "dctnet.inferenceSlots" . | int64 -}}
{{- $threads := include "dctnet.inferenceThreads" . | int64 -}}
{{- $side := int64 .Values.requestLimits.workingSide -}}
{{- $pixels := int64 .Values.requestLimits.pixels -}}
{{- $body := int64 .Values.requestLimits.bodyBytes -}}
{{- $waiting := add .Values.admission.queueSize .Values.admission.maxUploads -}}
{{- $process := mul $MiB (ternary 3000 300 (eq (include "dctnet.imageVariant" .) "tensorflow")) -}}
{{- $reserved := add (mul 112 $KiB $side) (mul $MiB $threads) -}}
{{- $slot := add (mul 72 $MiB) (mul 24 $KiB $side) (mul 22 $pixels) (mul 3 $body) -}}
{{- $serving := mul (add $slots $waiting 256) 100 $KiB -}}
{{- $unsent := max (int64 .Values.requestLimits.unsentBytes) (div (mul 31 $pixels) 10) -}}
{{- $bytes := add $process (mul $slots (add $reserved $slot)) (mul $waiting $body) $serving $unsent -}}
{{- div (add $bytes $MiB -1) $MiB -}}Mi
{{- end -}}

{{/* Bytes of a memory quantity: "640Mi", "2G" or a number. */}}
{{- define "dctnet.memoryBytes" -}}
{{- if kindIs "string" . -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- $units := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- mulf (float64 $number) (get $units (trimPrefix $number .)) | int64 -}}
{{- else -}}{{ int64 . }}
{{- end -}}
{{- end -}}

{{/* Resources with defaults. A default request never exceeds a limit that the user lowered. */}}
{{- define "dctnet.resources" -}}
{{- $memory := ternary "1500Mi" "640Mi" (eq (include "dctnet.imageVariant" .) "tensorflow") -}}
{{- $limits := merge (deepCopy (.Values.resources.limits | default dict)) (dict "cpu" "2" "memory" (include "dctnet.memoryLimit" .)) -}}
{{- $requests := dict
    "cpu" (ternary "1" $limits.cpu (ge (include "dctnet.cpuMillicores" $limits.cpu | int64) 1000))
    "memory" (ternary $memory $limits.memory (ge (include "dctnet.memoryBytes" $limits.memory | int64) (include "dctnet.memoryBytes" $memory | int64))) -}}
{{- mergeOverwrite (dict "requests" $requests "limits" $limits) (deepCopy .Values.resources) | toYaml -}}
{{- end -}}

{{- define "dctnet.startupFailureThreshold" -}}
{{- $derived := ternary 300 120 (eq (include "dctnet.imageVariant" .) "tensorflow") -}}
{{- kindIs "invalid" .Values.startupProbe.failureThreshold | ternary $derived .Values.startupProbe.failureThreshold -}}
{{- end -}}

{{- define "dctnet.progressDeadlineSeconds" -}}
{{- $start := mul (include "dctnet.startupFailureThreshold" .) .Values.startupProbe.periodSeconds -}}
{{- $fetch := ternary 900 0 (eq (include "dctnet.modelFetchEnabled" .) "true") -}}
{{- kindIs "invalid" .Values.progressDeadlineSeconds | ternary (add $start $fetch 60) .Values.progressDeadlineSeconds -}}
{{- end -}}

{{/* Minimum number of replicas, with or without autoscaling. */}}
{{- define "dctnet.minReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled -}}
{{- end -}}

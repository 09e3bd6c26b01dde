{{/* Resources of a replica, and what is derived from them. */}}

{{/* Millicores of a CPU quantity: "2", 1.5 or "1500m". */}}
{{- define "dctnet.cpuMillicores" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}{{ trimSuffix "m" $text | int64 }}
{{- else -}}{{ mulf (float64 $text) 1000.0 | int64 }}
{{- end -}}
{{- end -}}

{{/* CPU that slots and threads follow, in millicores: the limit, or the request without a limit. */}}
{{- define "dctnet.cpuBasis" -}}
{{- $limit := ((.Values.resources | default dict).limits | default dict).cpu -}}
{{- $request := ((.Values.resources | default dict).requests | default dict).cpu | default "1" -}}
{{- include "dctnet.cpuMillicores" ($limit | default (eq (toString $request) "auto" | ternary "1" $request)) | max 1 -}}
{{- end -}}

{{- define "dctnet.inferenceSlots" -}}
{{- .Values.inference.slots | default (max 1 (div (include "dctnet.cpuBasis" . | int64) 1000)) -}}
{{- end -}}

{{/* Threads per image; with `auto` one per CPU, as in the service. */}}
{{- define "dctnet.inferenceThreads" -}}
{{- if eq (toString .Values.inference.threads) "auto" -}}{{ max 1 (div (include "dctnet.cpuBasis" . | int64) 1000) }}
{{- else -}}{{ int64 .Values.inference.threads }}
{{- end -}}
{{- end -}}

{{/* Images that a replica completes in some seconds. */}}
{{- define "dctnet.imagesWithin" -}}
{{- $millicoreSeconds := mulf .seconds (float64 (include "dctnet.usableMillicores" .root)) -}}
{{- divf $millicoreSeconds (mulf 1000 .root.Values.admission.cpuSecondsPerImage) -}}
{{- end -}}

{{/* Images that a replica completes within the latency objective: those behind them would be late. */}}
{{- define "dctnet.imagesWithinObjective" -}}
{{- include "dctnet.imagesWithin" (dict "root" . "seconds" (include "dctnet.sloLatencyBound" . | float64)) | float64 | floor | int64 -}}
{{- end -}}

{{/* Queue size; with `auto` by the latency objective, but enough for fifty clients at once. */}}
{{- define "dctnet.queueSize" -}}
{{- if eq (toString .Values.admission.queueSize) "auto" -}}{{ include "dctnet.imagesWithinObjective" . | int64 | max 64 | min 4096 }}
{{- else -}}{{ int64 .Values.admission.queueSize }}
{{- end -}}
{{- end -}}

{{/* resources.limits.memory, empty if it is derived or removed. */}}
{{- define "dctnet.givenMemoryLimit" -}}
{{- $limit := ((.Values.resources | default dict).limits | default dict).memory -}}
{{- if and $limit (ne (toString $limit) "auto") -}}{{ kindIs "string" $limit | ternary $limit (int64 $limit) }}{{- end -}}
{{- end -}}

{{/* The memory formulas are those of service/dctnet/memory.py, which explains their constants; tests compare
the two. */}}

{{/* Bytes that a slot takes at start. */}}
{{- define "dctnet.reservedBytes" -}}
{{- $threads := include "dctnet.inferenceThreads" . | int64 -}}
{{- add (mul 92 1024 (int64 .Values.requestLimits.workingSide)) (mul 1048576 $threads) -}}
{{- end -}}

{{/* Bytes of all styles beyond the first, whose weights are transformed. Arguments: root, hot. */}}
{{- define "dctnet.stylesBytes" -}}
{{- $styles := include "dctnet.styleCount" .root | int64 -}}
{{- add (mul 15 1048576 (sub $styles 1)) (mul 90 1048576 (sub (int64 .hot) 1)) -}}
{{- end -}}

{{/* Memory bound of a replica, in bytes. Arguments: root, hot (styles whose weights stay transformed),
tensorflow. */}}
{{- define "dctnet.memoryBound" -}}
{{- $values := .root.Values -}}
{{- $KiB := 1024 -}}
{{- $MiB := 1048576 -}}
{{- $slots := include "dctnet.inferenceSlots" .root | int64 -}}
{{- $side := int64 $values.requestLimits.workingSide -}}
{{- $pixels := int64 $values.requestLimits.pixels -}}
{{- $body := int64 $values.requestLimits.bodyBytes -}}
{{- $admitted := add $slots (include "dctnet.queueSize" .root) $values.admission.maxUploads -}}
{{- $process := mul $MiB (ternary 3000 320 .tensorflow) -}}
{{- $styles := include "dctnet.stylesBytes" . | int64 -}}
{{- $reserved := include "dctnet.reservedBytes" .root | int64 -}}
{{- $slot := add (mul 116 $MiB) (mul 24 $KiB $side) (mul 14 $pixels) (mul 5 $body) -}}
{{- $serving := mul (add $admitted 256) 100 $KiB -}}
{{- $unsent := max (int64 $values.requestLimits.unsentBytes) (div (mul 31 $pixels) 10) -}}
{{- add $process $styles (mul $slots (add $reserved $slot)) (int64 $values.admission.maxWaitingBytes) $serving $unsent -}}
{{- end -}}

{{/* Styles whose weights stay transformed: at least one per slot. ONNX Runtime and TensorFlow keep all of
them, whatever the style cache. */}}
{{- define "dctnet.hotStyles" -}}
{{- $styles := include "dctnet.styleCount" . | int64 -}}
{{- $limit := include "dctnet.givenMemoryLimit" . -}}
{{- $count := int64 3 -}}
{{- if has .Values.inference.runtime (list "onnxruntime" "tensorflow") -}}{{ $count = $styles }}
{{- else if .Values.model.styleCache -}}{{ $count = int64 .Values.model.styleCache }}
{{- else if $limit -}}
{{- $bound := include "dctnet.memoryBound" (dict "root" . "hot" 1 "tensorflow" false) | int64 -}}
{{- $count = div (max 0 (sub (include "dctnet.memoryBytes" $limit | int64) $bound)) 94371840 | add 1 -}}
{{- end -}}
{{- min $styles (max $count (include "dctnet.inferenceSlots" . | int64)) -}}
{{- end -}}

{{/* Default memory limit: the memory bound in MiB, rounded up. */}}
{{- define "dctnet.memoryLimit" -}}
{{- $tensorflow := eq (include "dctnet.imageVariant" .) "tensorflow" -}}
{{- $bound := include "dctnet.memoryBound" (dict "root" . "hot" (include "dctnet.hotStyles" .) "tensorflow" $tensorflow) | int64 -}}
{{- div (add $bound 1048575) 1048576 -}}Mi
{{- end -}}

{{/* Memory that a replica takes before its first request, in MiB, rounded up. Without TensorFlow, because
the variant `tensorflow` also serves converted models. */}}
{{- define "dctnet.startMemory" -}}
{{- $styles := include "dctnet.stylesBytes" (dict "root" . "hot" (include "dctnet.hotStyles" .)) | int64 -}}
{{- $reserved := mul (include "dctnet.inferenceSlots" .) (include "dctnet.reservedBytes" . | int64) -}}
{{- div (add (mul 320 1048576) $styles $reserved 1048575) 1048576 -}}Mi
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

{{/* Resources, with `auto` derived. A derived request never exceeds the limit. */}}
{{- define "dctnet.resources" -}}
{{- $resources := dict -}}
{{- range $section := list "limits" "requests" -}}
{{- range $resource, $quantity := get ($.Values.resources | default dict) $section | default dict -}}
{{- if eq (toString $quantity) "auto" -}}
{{- $derived := include (printf "dctnet.derived.%s.%s" $section $resource) $ -}}
{{- $quantity = $derived -}}
{{- if eq $section "requests" -}}
{{- $unit := eq $resource "cpu" | ternary "dctnet.cpuMillicores" "dctnet.memoryBytes" -}}
{{- $limit := dig "limits" $resource $derived $resources -}}
{{- $quantity = lt (include $unit $limit | int64) (include $unit $derived | int64) | ternary $limit $derived -}}
{{- end -}}
{{- end -}}
{{- if not (kindIs "invalid" $quantity) -}}
{{- $_ := set $resources $section (set (get $resources $section | default dict) $resource $quantity) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{- define "dctnet.derived.limits.memory" -}}
{{- include "dctnet.memoryLimit" . -}}
{{- end -}}

{{- define "dctnet.derived.requests.cpu" -}}
1
{{- end -}}

{{- define "dctnet.derived.requests.memory" -}}
{{- $process := ternary 1500 640 (eq (include "dctnet.imageVariant" .) "tensorflow") -}}
{{- $styles := include "dctnet.stylesBytes" (dict "root" . "hot" (include "dctnet.hotStyles" .)) | int64 -}}
{{- add $process (div $styles 1048576) -}}Mi
{{- end -}}

{{/* CPU request as Kubernetes has it, in millicores: without one it is the limit; 0 without both. */}}
{{- define "dctnet.cpuRequest" -}}
{{- $resources := include "dctnet.resources" . | fromYaml -}}
{{- with dig "requests" "cpu" (dig "limits" "cpu" "" $resources) $resources -}}
{{- include "dctnet.cpuMillicores" . | max 1 -}}
{{- else -}}0
{{- end -}}
{{- end -}}

{{/* Target CPU utilization in percent of the request, as the HorizontalPodAutoscaler has it. */}}
{{- define "dctnet.targetCPUUtilization" -}}
{{- $target := mul (include "dctnet.cpuBasis" .) .Values.autoscaling.targetCPUUtilizationPercentage -}}
{{- max 1 (div $target (max 1 (include "dctnet.cpuRequest" .))) -}}
{{- end -}}

{{/* Millicores that a replica can use: up to its limit, by the threads of its slots. With `auto` all slots
share one thread per CPU. */}}
{{- define "dctnet.usableMillicores" -}}
{{- $slots := include "dctnet.inferenceSlots" . | int64 -}}
{{- $threads := include "dctnet.inferenceThreads" . | int64 -}}
{{- $busy := eq (toString .Values.inference.threads) "auto" | ternary (max $slots $threads) (mul $slots $threads) -}}
{{- if ((.Values.resources | default dict).limits | default dict).cpu -}}{{ min (include "dctnet.cpuBasis" .) (mul 1000 $busy) }}
{{- else -}}{{ mul 1000 $busy }}
{{- end -}}
{{- end -}}

{{- define "dctnet.startupFailureThreshold" -}}
{{- $derived := ternary 300 120 (eq (include "dctnet.imageVariant" .) "tensorflow") -}}
{{- kindIs "invalid" .Values.startupProbe.failureThreshold | ternary $derived .Values.startupProbe.failureThreshold -}}
{{- end -}}

{{- define "dctnet.progressDeadlineSeconds" -}}
{{- $start := mul (include "dctnet.startupFailureThreshold" .) .Values.startupProbe.periodSeconds -}}
{{- $fetch := include "dctnet.fetchedBy" . | empty | ternary 0 (include "dctnet.fetchTimeout" .) -}}
{{- kindIs "invalid" .Values.progressDeadlineSeconds | ternary (add $start $fetch .Values.minReadySeconds 60) .Values.progressDeadlineSeconds -}}
{{- end -}}

{{- define "dctnet.strategy" -}}
{{- eq .Values.strategy.type "Recreate" | ternary (dict "type" "Recreate") .Values.strategy | toYaml -}}
{{- end -}}

{{/* Largest number of replicas, with or without autoscaling. */}}
{{- define "dctnet.maxReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled -}}
{{- end -}}

{{/* "true" if a rollout starts a replica before it terminates one; Kubernetes' default is 25%. */}}
{{- define "dctnet.surgeEnabled" -}}
{{- $surge := toString (dig "rollingUpdate" "maxSurge" "25%" .Values.strategy) -}}
{{- if and (eq .Values.strategy.type "RollingUpdate") (not (has $surge (list "0" "0%"))) -}}true{{- end -}}
{{- end -}}

{{/* Minimum number of replicas, with or without autoscaling. */}}
{{- define "dctnet.minReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled -}}
{{- end -}}

{{/* Number of replicas in the Deployment, or empty if only the autoscaler sets it. Kubernetes would take a
number that an upgrade removes for 1, so that a release whose autoscaling is turned on keeps that of the
cluster, until the autoscaler owns it: only server-side apply knows owners. An annotation says so. */}}
{{- define "dctnet.replicas" -}}
{{- if not .Values.autoscaling.enabled -}}
{{ .Values.replicaCount }}
{{- else -}}
{{- $live := lookup "apps/v1" "Deployment" (include "dctnet.namespace" .) (include "dctnet.fullname" .) -}}
{{- if dig "metadata" "annotations" "dctnet.io/replicas" "" $live -}}
{{- $applied := false -}}
{{- $scaled := false -}}
{{- range $live.metadata.managedFields -}}
{{- $applied = or $applied (and (eq .manager "helm") (eq .operation "Apply")) -}}
{{- $scaled = or $scaled (and (eq (get . "subresource") "scale") (dig "fieldsV1" "f:spec" "f:replicas" false . | kindIs "map")) -}}
{{- end -}}
{{- if not (and $applied $scaled) -}}
{{ max $live.spec.replicas .Values.autoscaling.minReplicas }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

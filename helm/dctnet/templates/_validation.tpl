{{/* Validation across values, which the schema cannot express. Each error is one sentence. Included once,
by configmap.yaml. */}}
{{- define "dctnet.validation" -}}
{{- include "dctnet.validation.name" . -}}
{{- include "dctnet.validation.podNames" . -}}
{{- include "dctnet.validation.kubernetes" . -}}
{{- include "dctnet.validation.timeouts" . -}}
{{- include "dctnet.validation.admission" . -}}
{{- include "dctnet.validation.autoscaling" . -}}
{{- include "dctnet.validation.strategy" . -}}
{{- include "dctnet.validation.podDisruptionBudget" . -}}
{{- include "dctnet.validation.styles" . -}}
{{- include "dctnet.validation.model" . -}}
{{- include "dctnet.validation.resources" . -}}
{{- include "dctnet.validation.service" . -}}
{{- include "dctnet.validation.exposure" . -}}
{{- include "dctnet.validation.derivedKeys" . -}}
{{- include "dctnet.validation.metrics" . -}}
{{- include "dctnet.validation.slo" . -}}
{{- end -}}

{{/* Release names allow dots and leading digits, names of Services do not. */}}
{{- define "dctnet.validation.name" -}}
{{- $name := include "dctnet.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "dctnet: the objects would be named %s, but the name of a Service starts with a letter and has no dots: set fullnameOverride." $name) -}}
{{- end -}}
{{- end -}}

{{/* Names in a pod that must be unique, those of the extra values included. */}}
{{- define "dctnet.validation.podNames" -}}
{{- $specs := list (include "dctnet.replicaPodSpec" . | fromYaml) -}}
{{- if eq (include "dctnet.fetchedBy" .) "job" -}}
{{- $specs = append $specs (include "dctnet.fetchPodSpec" . | fromYaml) -}}
{{- end -}}
{{- $lists := list -}}
{{- range $spec := $specs -}}
{{- $containers := concat ($spec.initContainers | default list) ($spec.containers | default list) -}}
{{- $lists = concat $lists (list (list "volumes" "name" $spec.volumes) (list "host aliases" "ip" $spec.hostAliases) (list "containers" "name" $containers)) -}}
{{- range $containers -}}
{{- $lists = append $lists (list (printf "variables in the container %s" .name) "name" .env) -}}
{{- $lists = append $lists (list (printf "volume mounts in the container %s" .name) "mountPath" .volumeMounts) -}}
{{- end -}}
{{- end -}}
{{- range $lists -}}
{{- $kind := index . 0 -}}
{{- $key := index . 1 -}}
{{- $seen := list -}}
{{- range index . 2 | default list -}}
{{- $name := get . $key -}}
{{- if has $name $seen -}}
{{- fail (printf "dctnet: the pod would have two %s with the %s %s: rename or remove one in the extra values." $kind $key $name) -}}
{{- end -}}
{{- $seen = append $seen $name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Fields that an older API server drops or rejects. */}}
{{- define "dctnet.validation.kubernetes" -}}
{{- $distribution := .Values.service.trafficDistribution -}}
{{- $needs := dict -}}
{{- with $distribution -}}
{{- $_ := set $needs (printf "service.trafficDistribution %s" .) (eq . "PreferClose" | ternary "1.31" "1.34") -}}
{{- end -}}
{{- range $hook, $action := .Values.lifecycle -}}
{{- if $action.sleep -}}
{{- $_ := set $needs (printf "lifecycle.%s.sleep" $hook) "1.30" -}}
{{- end -}}
{{- end -}}
{{- range $value, $version := $needs -}}
{{- if semverCompare (printf "<%s.0-0" $version) $.Capabilities.KubeVersion.Version -}}
{{- fail (printf "dctnet: %s needs Kubernetes %s, and this is %s." $value $version $.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* watchdog < request < proxyRead <= proxyTotal, and graceful < terminationGracePeriod. */}}
{{- define "dctnet.validation.timeouts" -}}
{{- $timeouts := .Values.timeouts -}}
{{- $read := include "dctnet.proxyReadTimeout" . | float64 -}}
{{- $total := include "dctnet.proxyTotalTimeout" . | float64 -}}
{{- $grace := include "dctnet.terminationGracePeriod" . | float64 -}}
{{- $sleep := include "dctnet.preStopSleep" . -}}
{{- $graceful := addf (include "dctnet.gracefulTimeout" .) $sleep -}}
{{- $hook := .Values.lifecycle.preStop -}}
{{- if ge (float64 $timeouts.watchdog) (float64 $timeouts.request) -}}
{{- fail (printf "dctnet: timeouts.watchdog is %v s, but it must be less than timeouts.request, which is %v s." $timeouts.watchdog $timeouts.request) -}}
{{- end -}}
{{- if le $read (float64 $timeouts.request) -}}
{{- fail (printf "dctnet: timeouts.proxyRead is %v s, but it must be more than timeouts.request, %v s, or the proxy gives up before the service responds." $read $timeouts.request) -}}
{{- end -}}
{{- if lt $total $read -}}
{{- fail (printf "dctnet: timeouts.proxyTotal is %v s, but it must be at least timeouts.proxyRead, %v s, or it ends the first try too early." $total $read) -}}
{{- end -}}
{{- if and $hook (not $hook.sleep) (kindIs "invalid" $timeouts.terminationGracePeriod) -}}
{{- fail (printf "dctnet: lifecycle.preStop runs before SIGTERM, in the termination grace period, and only the time of a sleep is known: set timeouts.terminationGracePeriod to %v s and the time of the hook." $grace) -}}
{{- end -}}
{{- $postStart := dig "postStart" "sleep" "seconds" 0 .Values.lifecycle -}}
{{- if gt (float64 $postStart) $grace -}}
{{- fail (printf "dctnet: lifecycle.postStart.sleep.seconds is %v, but Kubernetes allows at most the termination grace period, %v s." $postStart $grace) -}}
{{- end -}}
{{- if le $grace $graceful -}}
{{- fail (printf "dctnet: timeouts.terminationGracePeriod is %v s, but it must be more than %stimeouts.drainDelay + timeouts.request + 5, %v s, or replicas are killed before in-flight requests complete." $grace (eq $sleep "0" | ternary "" "lifecycle.preStop.sleep.seconds + ") $graceful) -}}
{{- end -}}
{{- if and (or .Values.ingress.enabled .Values.gateway.enabled) (le (float64 $timeouts.drainDelay) 5.0) -}}
{{- fail (printf "dctnet: timeouts.drainDelay is %v s, but it must be more than 5 s behind an ingress or a gateway, which take up to 5 s to remove a terminating replica from their endpoints." $timeouts.drainDelay) -}}
{{- end -}}
{{- end -}}

{{/* One body always fits. */}}
{{- define "dctnet.validation.admission" -}}
{{- $body := include "dctnet.proxyBodyBytes" . | int64 -}}
{{- if lt (int64 .Values.admission.maxWaitingBytes) $body -}}
{{- fail (printf "dctnet: admission.maxWaitingBytes is %d, but it must be at least %d, requestLimits.bodyBytes and 65536 for a form: raise it." (int64 .Values.admission.maxWaitingBytes) $body) -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.autoscaling" -}}
{{- $autoscaling := .Values.autoscaling -}}
{{- if $autoscaling.enabled -}}
{{- if gt (int $autoscaling.minReplicas) (int $autoscaling.maxReplicas) -}}
{{- fail (printf "dctnet: autoscaling.minReplicas is %v, but autoscaling.maxReplicas only %v." $autoscaling.minReplicas $autoscaling.maxReplicas) -}}
{{- end -}}
{{- if eq $autoscaling.metric "cpu" -}}
{{- if not (include "dctnet.cpuRequest" . | int64) -}}
{{- fail "dctnet: autoscaling.metric is cpu, but resources has neither a request nor a limit for cpu: set resources.requests.cpu." -}}
{{- end -}}
{{- $limit := include "dctnet.cpuBasis" . | int64 -}}
{{- $usable := include "dctnet.usableMillicores" . | int64 -}}
{{- /* The tolerance of the autoscaler is a tenth. */}}
{{- $most := sub (div (add (mul 1000 $usable) (sub (mul 11 $limit) 1)) (mul 11 $limit)) 1 -}}
{{- if gt (int64 $autoscaling.targetCPUUtilizationPercentage) $most -}}
{{- fail (printf "dctnet: autoscaling.targetCPUUtilizationPercentage is %v, but a replica uses at most %dm of its %dm CPU, and the autoscaler adds replicas from a tenth above the target: set at most %d, or more inference.slots." $autoscaling.targetCPUUtilizationPercentage $usable $limit $most) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $autoscaling.metric "keda") (not $autoscaling.keda.serverAddress) -}}
{{- fail "dctnet: autoscaling.metric is keda, but autoscaling.keda.serverAddress is empty: set it to the URL of Prometheus." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.strategy" -}}
{{- $rolling := .Values.strategy.rollingUpdate | default dict -}}
{{- if and (eq .Values.strategy.type "RollingUpdate") (not (include "dctnet.surgeEnabled" .)) (has (toString $rolling.maxUnavailable) (list "0" "0%")) -}}
{{- fail "dctnet: strategy.rollingUpdate has neither a surge nor an unavailable replica, so no rollout could begin: set maxSurge or maxUnavailable to 1." -}}
{{- end -}}
{{- $deadline := include "dctnet.progressDeadlineSeconds" . -}}
{{- if le (int64 $deadline) (int64 .Values.minReadySeconds) -}}
{{- fail (printf "dctnet: progressDeadlineSeconds is %s, but it must be more than minReadySeconds, %v, or every rollout fails." $deadline .Values.minReadySeconds) -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.podDisruptionBudget" -}}
{{- $minReplicas := include "dctnet.minReplicas" . | int -}}
{{- $pdb := .Values.podDisruptionBudget -}}
{{- if $pdb.enabled -}}
{{- if not (kindIs "invalid" $pdb.minAvailable) -}}
{{- $minAvailable := $pdb.minAvailable | int -}}
{{- if hasSuffix "%" (toString $pdb.minAvailable) -}}
{{- $minAvailable = divf (mul $minReplicas (trimSuffix "%" $pdb.minAvailable | int)) 100.0 | ceil | int -}}
{{- end -}}
{{- if ge $minAvailable $minReplicas -}}
{{- fail (printf "dctnet: podDisruptionBudget.minAvailable is %v with a minimum of %d replicas, which blocks node drains: lower it, or raise the number of replicas." $pdb.minAvailable $minReplicas) -}}
{{- end -}}
{{- else if has (toString $pdb.maxUnavailable) (list "0" "0%" "<nil>") -}}
{{- fail "dctnet: podDisruptionBudget.maxUnavailable allows no replica to be unavailable, which blocks node drains: set it to 1 or more." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.resources" -}}
{{- $sections := dict "resources" (include "dctnet.resources" . | fromYaml) "helmTest.resources" (.Values.helmTest.resources | default dict) "model.prepare.resources" (.Values.model.prepare.resources | default dict) -}}
{{- range $section, $resources := $sections -}}
{{- range $resource, $unit := dict "cpu" "dctnet.cpuMillicores" "memory" "dctnet.memoryBytes" -}}
{{- $request := dig "requests" $resource 0 $resources -}}
{{- $limit := dig "limits" $resource $request $resources -}}
{{- if gt (include $unit $request | int64) (include $unit $limit | int64) -}}
{{- fail (printf "dctnet: %s.requests.%s is %v, but it must not exceed the limit, %v." $section $resource $request $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with include "dctnet.givenMemoryLimit" . -}}
{{- $start := include "dctnet.startMemory" $ -}}
{{- if lt (include "dctnet.memoryBytes" . | int64) (include "dctnet.memoryBytes" $start | int64) -}}
{{- fail (printf "dctnet: resources.limits.memory is %v, but a replica with these model.styles takes %s before its first request: raise the limit, set auto to have it derived, or list fewer styles." . $start) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* model.styles, and the values that refer to its items. */}}
{{- define "dctnet.validation.styles" -}}
{{- $model := .Values.model -}}
{{- if hasKey $model "style" -}}
{{- fail "dctnet: model.style no longer exists: set model.styles, a list such as [anime]." -}}
{{- end -}}
{{- if hasKey $model "digest" -}}
{{- fail "dctnet: model.digest no longer exists: set model.digests, a map such as {anime: source:sha256:…}." -}}
{{- end -}}
{{- $known := dict "modelscope" (include "dctnet.publicStyles" .) "demo" (include "dctnet.shippedStyles" .) -}}
{{- $pattern := include "dctnet.styleImagesEnabled" . | eq "true" | ternary "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" "^[A-Za-z0-9_][-A-Za-z0-9._]*$" -}}
{{- range $style := $model.styles -}}
{{- if hasKey $known $model.source -}}
{{- $names := get $known $model.source | fromJsonArray -}}
{{- if not (has $style $names) -}}
{{- fail (printf "dctnet: model.styles has %q, but the styles of model.source %s are %s." $style $model.source (join ", " $names)) -}}
{{- end -}}
{{- else if not (regexMatch $pattern $style) -}}
{{- fail (printf "dctnet: model.styles has %q, but with model.source %s it must match %s." $style $model.source $pattern) -}}
{{- end -}}
{{- end -}}
{{- $styles := include "dctnet.styleNames" . | fromJsonArray -}}
{{- range $index, $style := $styles -}}
{{- if has $style (slice $styles 0 $index) -}}
{{- fail (printf "dctnet: model.styles lists the style %s twice." $style) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $model.source "demo") $model.digests -}}
{{- fail "dctnet: model.digests pins model folders, but the shipped styles are part of the image: pin that by image.digest." -}}
{{- end -}}
{{- if and (not $styles) (gt (len $model.digests) 1) -}}
{{- fail (printf "dctnet: model.digests pins %s, but without model.styles the source %s serves one model: list the styles." (keys $model.digests | sortAlpha | join ", ") $model.source) -}}
{{- end -}}
{{- range $style, $_ := $model.digests -}}
{{- if and $styles (not (has $style $styles)) -}}
{{- fail (printf "dctnet: model.digests pins the style %s, but the styles are %s: add it to model.styles." $style (join ", " $styles)) -}}
{{- end -}}
{{- end -}}
{{- $needed := mul 400 (include "dctnet.styleCount" .) -}}
{{- $given := include "dctnet.memoryBytes" $model.cache.size | int64 -}}
{{- if and (include "dctnet.fetchedBy" .) (not $model.cache.existingClaim) (lt $given (mul 1048576 $needed)) -}}
{{- fail (printf "dctnet: model.cache.size is %s, but model.styles needs %dMi, 400Mi for each style: raise it, or list fewer styles." $model.cache.size $needed) -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.model" -}}
{{- $model := .Values.model -}}
{{- $by := include "dctnet.fetchedBy" . -}}
{{- if eq $model.source "demo" -}}
{{- $ignored := dict "cache.create" $model.cache.create "cache.existingClaim" $model.cache.existingClaim "endpoint" $model.endpoint "revision" $model.revision "tokenSecret.name" $model.tokenSecret.name -}}
{{- range $name, $value := $ignored -}}
{{- if $value -}}
{{- fail (printf "dctnet: model.%s is set, but model.source is demo, which fetches nothing: set model.source to modelscope to serve the public styles." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.image.variant "runtime") (eq $by "pods") -}}
{{- fail "dctnet: image.variant is runtime, but each pod converts the model, which needs the variant tensorflow: set image.variant to auto, or model.fetch.by to job with a claim, or name a claim that holds the converted model and set model.cache.prepared." -}}
{{- end -}}
{{- if eq $by "job" -}}
{{- if not (include "dctnet.cacheClaimName" .) -}}
{{- fail "dctnet: model.fetch.by is job, but without a claim replicas cannot read what the Job fetches: set model.cache.create or model.cache.existingClaim, or set model.fetch.by to pods." -}}
{{- end -}}
{{- if and (include "dctnet.cacheClaimCreated" .) (has "ReadWriteOncePod" $model.cache.accessModes) -}}
{{- fail "dctnet: model.fetch.by is job, but model.cache.accessModes has ReadWriteOncePod, so that the Job and the replica that waits for it would wait for each other: set ReadWriteMany, or set model.fetch.by to pods." -}}
{{- end -}}
{{- if and .Values.image.digest (ne (include "dctnet.imageVariant" .) "tensorflow") -}}
{{- fail "dctnet: image.digest pins one image, but with a Job that fetches the models replicas use the variant runtime and the Job tensorflow: set image.digests, or image.variant to tensorflow, which serves too, or model.fetch.by to pods." -}}
{{- end -}}
{{- end -}}
{{- if and (eq $model.source "existingClaim") (not $model.existingClaim.name) -}}
{{- fail "dctnet: model.source is existingClaim, but model.existingClaim.name is empty." -}}
{{- end -}}
{{- if eq $model.source "image" -}}
{{- if and $model.image.reference $model.image.references -}}
{{- fail "dctnet: model.image.reference and model.image.references are both set: choose one of them." -}}
{{- end -}}
{{- range $style, $reference := $model.image.references -}}
{{- if not (has $style $model.styles) -}}
{{- fail (printf "dctnet: model.image.references has an image for %s, but model.styles does not list it." $style) -}}
{{- end -}}
{{- if not (contains "@sha256:" $reference) -}}
{{- fail (printf "dctnet: model.image.references has %q for %s, but it must be pinned by a digest, as in models/anime@sha256:…." $reference $style) -}}
{{- end -}}
{{- end -}}
{{- range $style := $model.styles -}}
{{- if and $model.image.references (not (hasKey $model.image.references $style)) -}}
{{- fail (printf "dctnet: model.styles lists %s, but model.image.references has no image for it." $style) -}}
{{- end -}}
{{- end -}}
{{- if not (or $model.image.references (contains "@sha256:" $model.image.reference)) -}}
{{- fail (printf "dctnet: model.image.reference is %q, but it must be pinned by a digest, as in models/anime@sha256:…." $model.image.reference) -}}
{{- end -}}
{{- if semverCompare "<1.36.0-0" .Capabilities.KubeVersion.Version -}}
{{- fail (printf "dctnet: model.source is image, but image volumes need Kubernetes 1.36, and this is %s." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
{{- if and $model.cache.prepared (not $model.cache.existingClaim) -}}
{{- fail "dctnet: model.cache.prepared declares that a claim holds the converted model, but model.cache.existingClaim is empty." -}}
{{- end -}}
{{- if and (include "dctnet.cacheClaimCreated" .) (has "ReadWriteOncePod" $model.cache.accessModes) -}}
{{- if gt (include "dctnet.maxReplicas" . | int) 1 -}}
{{- fail (printf "dctnet: model.cache.accessModes has ReadWriteOncePod, which allows one pod, but there are up to %s replicas: set ReadWriteMany, or replicaCount to 1 and autoscaling.enabled to false." (include "dctnet.maxReplicas" .)) -}}
{{- end -}}
{{- if include "dctnet.surgeEnabled" . -}}
{{- fail "dctnet: model.cache.accessModes has ReadWriteOncePod, which allows one pod, but a rollout starts a second one: set strategy.type to Recreate." -}}
{{- end -}}
{{- end -}}
{{- if and $model.cache.create $model.cache.existingClaim -}}
{{- fail "dctnet: model.cache.create and model.cache.existingClaim are both set: choose one of them." -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.service" -}}
{{- $service := .Values.service -}}
{{- if and (eq $service.ipFamilyPolicy "SingleStack") (gt (len $service.ipFamilies) 1) -}}
{{- fail "dctnet: service.ipFamilyPolicy is SingleStack, but service.ipFamilies has two families: remove one, or set PreferDualStack." -}}
{{- end -}}
{{- $types := dict "nodePort" "NodePort or LoadBalancer" "externalTrafficPolicy" "NodePort or LoadBalancer" "loadBalancerClass" "LoadBalancer" "loadBalancerSourceRanges" "LoadBalancer" -}}
{{- range $field, $type := $types -}}
{{- if and (get $service $field) (not (contains $service.type $type)) -}}
{{- fail (printf "dctnet: service.%s is set, but service.type is %s: remove it, or set the type %s." $field $service.type $type) -}}
{{- end -}}
{{- end -}}
{{- if and $service.sessionAffinityTimeoutSeconds (ne $service.sessionAffinity "ClientIP") -}}
{{- fail "dctnet: service.sessionAffinityTimeoutSeconds is set, but service.sessionAffinity is not ClientIP: set that, or remove the timeout." -}}
{{- end -}}
{{- if and (eq $service.clusterIP "None") (or (ne $service.type "ClusterIP") (ne (int $service.port) 8080)) -}}
{{- fail (printf "dctnet: service.clusterIP is None, but service.type is %s and service.port %v: a headless Service has the type ClusterIP, and port 8080 of the replicas, because nothing translates ports." $service.type $service.port) -}}
{{- end -}}
{{- if and (eq .Values.dnsPolicy "None") (not .Values.dnsConfig.nameservers) -}}
{{- fail "dctnet: dnsPolicy is None, but dnsConfig.nameservers is empty: list a nameserver." -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.exposure" -}}
{{- if and (or .Values.ingress.enabled .Values.gateway.enabled) (eq .Values.fairness.by "address") (not .Values.fairness.trustedProxies) -}}
{{- fail "dctnet: fairness.by is address, but behind an ingress or a gateway all clients have the address of the proxy: set fairness.trustedProxies to its network." -}}
{{- end -}}
{{- $tls := .Values.expose.tls -}}
{{- range $host, $_ := $tls.secretNames -}}
{{- if not (has $host $.Values.expose.hosts) -}}
{{- fail (printf "dctnet: expose.tls.secretNames has a Secret for %s, but expose.hosts does not list it." $host) -}}
{{- end -}}
{{- end -}}
{{- if and $tls.enabled (not .Values.expose.hosts) -}}
{{- fail "dctnet: expose.tls.enabled needs expose.hosts, the host names of the certificate." -}}
{{- end -}}
{{- if and $tls.issuer $tls.clusterIssuer -}}
{{- fail "dctnet: expose.tls.issuer and expose.tls.clusterIssuer are both set: a certificate has one issuer." -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- if not (or .Values.gateway.parentRefs .Values.gateway.create) -}}
{{- fail "dctnet: gateway.enabled needs gateway.parentRefs, the Gateways that the HTTPRoute attaches to, or gateway.create." -}}
{{- end -}}
{{- if and .Values.gateway.create (not .Values.gateway.className) -}}
{{- fail "dctnet: gateway.create needs gateway.className, the GatewayClass of the controller." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Maps whose keys the chart sets too. */}}
{{- define "dctnet.validation.derivedKeys" -}}
{{- $maps := list -}}
{{- if .Values.ingress.enabled -}}
{{- $maps = append $maps (list "ingress.annotations" .Values.ingress.annotations (include "dctnet.ingressAnnotations" . | fromYaml)) -}}
{{- end -}}
{{- if .Values.gateway.create -}}
{{- $maps = append $maps (list "gateway.gatewayAnnotations" .Values.gateway.gatewayAnnotations (include "dctnet.certManagerAnnotations" . | fromYaml)) -}}
{{- end -}}
{{- $maps = append $maps (list "autoscaling.keda.metadata" .Values.autoscaling.keda.metadata (dict "serverAddress" "" "query" "" "threshold" "")) -}}
{{- range $maps -}}
{{- $given := index . 1 -}}
{{- $derived := index . 2 -}}
{{- $map := index . 0 -}}
{{- range $name, $_ := $given -}}
{{- if hasKey $derived $name -}}
{{- fail (printf "dctnet: %s sets %s, which the chart derives from its values: change those values instead." $map $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.metrics" -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "dctnet: metrics.serviceMonitor and metrics.podMonitor are both enabled, which would count every request twice: disable one of them." -}}
{{- end -}}
{{- range $name, $monitor := pick .Values.metrics "serviceMonitor" "podMonitor" -}}
{{- if and $monitor.tlsConfig (ne $monitor.scheme "https") -}}
{{- fail (printf "dctnet: metrics.%s.tlsConfig is set, but metrics.%s.scheme is http: set https if a mesh or a proxy terminates TLS in front of the replicas, or remove tlsConfig." $name $name) -}}
{{- end -}}
{{- range $label := concat ($monitor.targetLabels | default list) $monitor.podTargetLabels -}}
{{- if has $label (list "namespace" "job" "pod" "instance") -}}
{{- fail (printf "dctnet: metrics.%s would replace the label %s, by which rules, dashboards and autoscaling identify series: remove it from targetLabels and podTargetLabels." $name $label) -}}
{{- end -}}
{{- if and (has $label (include "dctnet.metricLabels" $ | fromJsonArray)) (not $monitor.honorLabels) -}}
{{- fail (printf "dctnet: metrics.%s would rename the label %s of the service's metrics, which rules and dashboards need: set honorLabels, or remove it from targetLabels and podTargetLabels." $name $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.slo" -}}
{{- $source := .Values.slo.source -}}
{{- if and (eq $source "ingress-nginx") (not .Values.ingress.enabled) -}}
{{- fail "dctnet: slo.source is ingress-nginx, but ingress.enabled is false: enable the Ingress, or set slo.source to service." -}}
{{- end -}}
{{- if and (eq $source "envoy-gateway") (not .Values.gateway.enabled) -}}
{{- fail "dctnet: slo.source is envoy-gateway, but gateway.enabled is false: enable the HTTPRoute, or set slo.source to service." -}}
{{- end -}}
{{- $buckets := include "dctnet.sloBuckets" . | fromJsonArray -}}
{{- $bound := include "dctnet.sloLatencyBound" . -}}
{{- $listed := list -}}
{{- range $buckets -}}{{- $listed = append $listed (toString .) -}}{{- end -}}
{{- if not (has $bound $listed) -}}
{{- $given := ternary "null" (printf "%v s" .Values.slo.latency.bound) (kindIs "invalid" .Values.slo.latency.bound) -}}
{{- fail (printf "dctnet: slo.latency.bound is %s, but it must be a bucket of the source's histogram: one of %s." $given (join ", " $listed)) -}}
{{- end -}}
{{- if ge (float64 $bound) (float64 .Values.timeouts.request) -}}
{{- fail (printf "dctnet: slo.latency.bound is %s s, but it must be less than timeouts.request, %v s, or no cartoon can exceed it." $bound .Values.timeouts.request) -}}
{{- end -}}
{{- end -}}

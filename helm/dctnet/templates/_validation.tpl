{{/* Values that fit the schema and would not work together: each ends in one sentence. Included once,
by configmap.yaml. */}}
{{- define "dctnet.validation" -}}
{{- include "dctnet.validation.name" . -}}
{{- include "dctnet.validation.timeouts" . -}}
{{- include "dctnet.validation.replicas" . -}}
{{- include "dctnet.validation.resources" . -}}
{{- include "dctnet.validation.model" . -}}
{{- include "dctnet.validation.exposure" . -}}
{{- end -}}

{{/* A release may be called what a Service may not. */}}
{{- define "dctnet.validation.name" -}}
{{- $name := include "dctnet.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "dctnet: the objects would be called %s, but a Service's name begins with a letter and has no dots: set fullnameOverride." $name) -}}
{{- end -}}
{{- end -}}

{{/* watchdog < request < proxyRead <= proxyTotal, and graceful < terminationGracePeriod. */}}
{{- define "dctnet.validation.timeouts" -}}
{{- $t := .Values.timeouts -}}
{{- $read := include "dctnet.proxyReadTimeout" . | float64 -}}
{{- $total := include "dctnet.proxyTotalTimeout" . | float64 -}}
{{- $grace := include "dctnet.terminationGracePeriod" . | float64 -}}
{{- $graceful := include "dctnet.gracefulTimeout" . | float64 -}}
{{- if ge (float64 $t.watchdog) (float64 $t.request) -}}
{{- fail (printf "dctnet: timeouts.watchdog is %v s, but it must be less than timeouts.request, which is %v s." $t.watchdog $t.request) -}}
{{- end -}}
{{- if le $read (float64 $t.request) -}}
{{- fail (printf "dctnet: timeouts.proxyRead is %v s, but it must be more than timeouts.request, %v s, or the proxy gives up before the service answers." $read $t.request) -}}
{{- end -}}
{{- if lt $total $read -}}
{{- fail (printf "dctnet: timeouts.proxyTotal is %v s, but it must be at least timeouts.proxyRead, %v s, or it cuts the first try short." $total $read) -}}
{{- end -}}
{{- if le $grace $graceful -}}
{{- fail (printf "dctnet: timeouts.terminationGracePeriod is %v s, but it must be more than timeouts.drainDelay + timeouts.request + 5, %v s, or replicas are killed before they have answered." $grace $graceful) -}}
{{- end -}}
{{- if and (or .Values.ingress.enabled .Values.gateway.enabled) (le (float64 $t.drainDelay) 5.0) -}}
{{- fail (printf "dctnet: timeouts.drainDelay is %v s, but it must be more than 5 s behind an ingress or a gateway, which take up to that to learn that a replica ends." $t.drainDelay) -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.replicas" -}}
{{- $a := .Values.autoscaling -}}
{{- $least := include "dctnet.minReplicas" . | int -}}
{{- if $a.enabled -}}
{{- if gt (int $a.minReplicas) (int $a.maxReplicas) -}}
{{- fail (printf "dctnet: autoscaling.minReplicas is %v, but autoscaling.maxReplicas only %v." $a.minReplicas $a.maxReplicas) -}}
{{- end -}}
{{- $scraped := or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled .Values.metrics.podAnnotations -}}
{{- $served := or (.Capabilities.APIVersions.Has "custom.metrics.k8s.io/v1beta1") (.Capabilities.APIVersions.Has "custom.metrics.k8s.io/v1beta2") -}}
{{- if and (eq $a.metric "load") (not $served) -}}
{{- fail "dctnet: autoscaling.metric is load, but the cluster serves no custom metrics: install prometheus-adapter (k8s/controllers has its values), or take cpu or keda; where a chart is rendered without a cluster, say --api-versions custom.metrics.k8s.io/v1beta2." -}}
{{- end -}}
{{- if and (ne $a.metric "cpu") (not $scraped) -}}
{{- fail (printf "dctnet: autoscaling.metric is %s, but nothing scrapes the replicas: set metrics.serviceMonitor.enabled, metrics.podMonitor.enabled or metrics.podAnnotations." $a.metric) -}}
{{- end -}}
{{- if and (eq $a.metric "keda") (not $a.keda.serverAddress) -}}
{{- fail "dctnet: autoscaling.metric is keda, but autoscaling.keda.serverAddress does not say where Prometheus is." -}}
{{- end -}}
{{- end -}}
{{- $pdb := .Values.podDisruptionBudget -}}
{{- if $pdb.enabled -}}
{{- if not (kindIs "invalid" $pdb.minAvailable) -}}
{{- $stay := $pdb.minAvailable | int -}}
{{- if hasSuffix "%" (toString $pdb.minAvailable) -}}
{{- $stay = divf (mul $least (trimSuffix "%" $pdb.minAvailable | int)) 100.0 | ceil | int -}}
{{- end -}}
{{- if ge $stay $least -}}
{{- fail (printf "dctnet: podDisruptionBudget.minAvailable is %v of as few as %d replicas, which blocks the drain of every node: allow fewer, or have more replicas." $pdb.minAvailable $least) -}}
{{- end -}}
{{- else if has (toString $pdb.maxUnavailable) (list "0" "0%" "<nil>") -}}
{{- fail "dctnet: podDisruptionBudget.maxUnavailable allows no replica to be away, which blocks the drain of every node." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.resources" -}}
{{- $places := dict "resources" (include "dctnet.resources" . | fromYaml) "model.prepare.resources" .Values.model.prepare.resources -}}
{{- range $place, $resources := $places -}}
{{- range $resource, $in := dict "cpu" "dctnet.cpuMillicores" "memory" "dctnet.memoryBytes" -}}
{{- $request := dig "requests" $resource 0 $resources -}}
{{- $limit := dig "limits" $resource $request $resources -}}
{{- if gt (include $in $request | int64) (include $in $limit | int64) -}}
{{- fail (printf "dctnet: %s.requests.%s is %v, but it must not be over the limit, which is %v." $place $resource $request $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.model" -}}
{{- $m := .Values.model -}}
{{- if and (eq $m.source "demo") $m.digest -}}
{{- fail "dctnet: model.digest pins a model folder, but the demo model is part of the image: pin that by image.digest." -}}
{{- end -}}
{{- if and (eq .Values.image.variant "runtime") (include "dctnet.modelFetchEnabled" .) -}}
{{- fail "dctnet: image.variant is runtime, but with model.source modelscope each pod prepares the model, which takes the variant tensorflow: set image.variant to auto, or name a claim that holds the prepared model and set model.cache.prepared." -}}
{{- end -}}
{{- if and (eq $m.source "existingClaim") (not $m.existingClaim.name) -}}
{{- fail "dctnet: model.source is existingClaim, but model.existingClaim.name names none." -}}
{{- end -}}
{{- if eq $m.source "image" -}}
{{- if not (contains "@sha256:" $m.image.reference) -}}
{{- fail (printf "dctnet: model.image.reference is %q, but it must be pinned by a digest, as in models/anime@sha256:…." $m.image.reference) -}}
{{- end -}}
{{- if semverCompare "<1.36.0-0" .Capabilities.KubeVersion.Version -}}
{{- fail (printf "dctnet: model.source is image, but image volumes need Kubernetes 1.36, and this is %s." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
{{- if and $m.cache.prepared (not $m.cache.existingClaim) -}}
{{- fail "dctnet: model.cache.prepared says that a claim holds the prepared model, but model.cache.existingClaim names none." -}}
{{- end -}}
{{- if and $m.cache.create $m.cache.existingClaim -}}
{{- fail "dctnet: model.cache.create makes a claim, but model.cache.existingClaim names one: choose one of them." -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.validation.exposure" -}}
{{- if and (or .Values.ingress.enabled .Values.gateway.enabled) (eq .Values.fairness.by "address") (not .Values.fairness.trustedProxies) -}}
{{- fail "dctnet: fairness.by is address, but all clients have that of the proxy unless fairness.trustedProxies names its network." -}}
{{- end -}}
{{- $tls := .Values.expose.tls -}}
{{- if and $tls.enabled (not .Values.expose.hosts) -}}
{{- fail "dctnet: expose.tls.enabled needs expose.hosts, the names that the certificate is for." -}}
{{- end -}}
{{- if and $tls.issuer $tls.clusterIssuer -}}
{{- fail "dctnet: expose.tls.issuer and expose.tls.clusterIssuer are both set: a certificate has one issuer." -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- if not (or .Values.gateway.parentRefs .Values.gateway.create) -}}
{{- fail "dctnet: gateway.enabled needs gateway.parentRefs, the Gateways that the route attaches to, or gateway.create." -}}
{{- end -}}
{{- if and .Values.gateway.create (not .Values.gateway.className) -}}
{{- fail "dctnet: gateway.create needs gateway.className, the GatewayClass of the controller." -}}
{{- end -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- $own := include "dctnet.ingressAnnotations" . | fromYaml -}}
{{- range $name, $_ := .Values.ingress.annotations -}}
{{- if hasKey $own $name -}}
{{- fail (printf "dctnet: ingress.annotations sets %s, which the chart derives from its values: change those." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "dctnet: metrics.serviceMonitor and metrics.podMonitor are both enabled, and would count every request twice." -}}
{{- end -}}
{{- end -}}

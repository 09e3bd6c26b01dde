{{/* Warnings of NOTES.txt, one line each: values that are valid but rarely meant. */}}
{{- define "dctnet.warnings" -}}
{{- with include "dctnet.givenMemoryLimit" . }}
{{- $bound := include "dctnet.memoryLimit" $ }}
{{- if lt (include "dctnet.memoryBytes" . | int64) (include "dctnet.memoryBytes" $bound | int64) }}
- resources.limits.memory is {{ . }}, but requests within the limits can take {{ $bound }}: raise it, set auto to have it derived, or lower admission.queueSize, requestLimits or inference.slots.
{{- end }}
{{- end }}
{{- $service := .Values.service }}
{{- $direct := not (or (eq $service.type "ClusterIP") .Values.ingress.enabled .Values.gateway.enabled) }}
{{- if and $direct (eq .Values.fairness.by "address") (ne $service.externalTrafficPolicy "Local") }}
- fairness.by is address, but with service.type {{ $service.type }} replicas can see addresses of nodes instead of clients: set service.externalTrafficPolicy to Local.
{{- end }}
{{- if and (eq (toString .Values.hostUsers) "false") (semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version) }}
- hostUsers is false, but Kubernetes {{ .Capabilities.KubeVersion.Version }} ignores it unless its feature gate UserNamespacesSupport is on: check `hostUsers` of a pod.
{{- end }}
{{- with .Values.metrics }}
{{- if and .podAnnotations (or .serviceMonitor.enabled .podMonitor.enabled) }}
- metrics.podAnnotations and a monitor are both enabled: a Prometheus that follows both scrapes each replica twice, and alerts fire twice. Disable one of them.
{{- end }}
{{- end }}
{{- $apis := .Capabilities.APIVersions }}
{{- $hasCustomMetrics := or ($apis.Has "custom.metrics.k8s.io/v1beta1") ($apis.Has "custom.metrics.k8s.io/v1beta2") }}
{{- if and .Values.autoscaling.enabled (eq .Values.autoscaling.metric "load") (not $hasCustomMetrics) }}
- autoscaling.metric is load, but the cluster serves no custom metrics, without which the number of replicas stays unchanged: install prometheus-adapter (k8s/controllers has its values), or set cpu or keda.
{{- end }}
{{- if and .Values.gateway.enabled (not .Values.gateway.timeouts) }}
- gateway.timeouts is false: set the timeout of the Gateway itself to {{ include "dctnet.proxyTotalTimeout" . }} s or more, by its own policy, or it gives up before the service responds.
{{- end }}
{{- if and (include "dctnet.cacheClaimCreated" .) (eq (join "" .Values.model.cache.accessModes) "ReadWriteOnce") }}
{{- if eq (include "dctnet.fetchedBy" .) "job" }}
- model.cache.accessModes is ReadWriteOnce: on different nodes, the Job that fetches the models waits for the volume that a replica uses, and the replica for the Job. Set ReadWriteMany, or pin all pods to one node, or set model.fetch.by to pods.
{{- else if include "dctnet.surgeEnabled" . }}
- model.cache.accessModes is ReadWriteOnce: replicas on another node wait for the volume for as long as one uses it, and a rollout waits with them. Set ReadWriteMany, or pin the pods to one node, or set strategy.type to Recreate.
{{- end }}
{{- end }}
{{- $scraped := or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled .Values.metrics.podAnnotations }}
{{- if and .Values.autoscaling.enabled (ne .Values.autoscaling.metric "cpu") (not $scraped) }}
- autoscaling.metric is {{ .Values.autoscaling.metric }}, but the chart has nothing scrape the replicas: set metrics.serviceMonitor.enabled, metrics.podMonitor.enabled or metrics.podAnnotations, unless a scrape configuration of your own does.
{{- end }}
{{- if and (eq .Values.slo.source "ingress-nginx") (not .Values.expose.hosts) }}
- slo.source is ingress-nginx, but expose.hosts is empty: ingress-nginx exports no metrics for such an Ingress, unless it has the option --metrics-per-host=false. List the hosts, or set slo.source to service.
{{- end }}
{{- end -}}

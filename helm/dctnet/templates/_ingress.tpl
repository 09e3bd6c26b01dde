{{/* Annotations for ingress-nginx, which ignores wrong ones silently: each comes from a value that the
schema validates. */}}
{{- define "dctnet.ingressAnnotations" -}}
{{- $bytes := include "dctnet.proxyBodyBytes" . -}}
nginx.ingress.kubernetes.io/proxy-body-size: {{ $bytes | quote }}
# Buffers request bodies in memory, so that no image is written to the controller's disk.
nginx.ingress.kubernetes.io/client-body-buffer-size: {{ $bytes | quote }}
nginx.ingress.kubernetes.io/proxy-request-buffering: {{ ternary "on" "off" .Values.ingress.requestBuffering | quote }}
nginx.ingress.kubernetes.io/proxy-connect-timeout: {{ .Values.timeouts.proxyConnect | quote }}
nginx.ingress.kubernetes.io/proxy-read-timeout: {{ include "dctnet.proxyReadTimeout" . | quote }}
nginx.ingress.kubernetes.io/proxy-send-timeout: {{ include "dctnet.proxyReadTimeout" . | quote }}
{{- if gt (int .Values.expose.retries) 0 }}
# Only connection timeouts are retried: proxy-next-upstream-timeout is over before the read timeout.
nginx.ingress.kubernetes.io/proxy-next-upstream: error timeout http_502 http_503 http_429 non_idempotent
nginx.ingress.kubernetes.io/proxy-next-upstream-tries: {{ add .Values.expose.retries 1 | quote }}
nginx.ingress.kubernetes.io/proxy-next-upstream-timeout: {{ ceil .Values.timeouts.request | quote }}
{{- else }}
nginx.ingress.kubernetes.io/proxy-next-upstream: "off"
{{- end }}
nginx.ingress.kubernetes.io/load-balance: {{ .Values.ingress.loadBalance }}
{{- with .Values.expose.rateLimit }}
{{- with .requestsPerSecond }}
nginx.ingress.kubernetes.io/limit-rps: {{ . | quote }}
{{- end }}
{{- with .connections }}
nginx.ingress.kubernetes.io/limit-connections: {{ . | quote }}
{{- end }}
{{- end }}
{{- include "dctnet.certManagerAnnotations" . }}
{{- end -}}

{{- define "dctnet.certManagerAnnotations" -}}
{{- with .Values.expose.tls }}
{{- if .enabled }}
{{- with .issuer }}
cert-manager.io/issuer: {{ . | quote }}
{{- end }}
{{- with .clusterIssuer }}
cert-manager.io/cluster-issuer: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

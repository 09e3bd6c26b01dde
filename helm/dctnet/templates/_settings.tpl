{{/* Settings of the replicas: docs/settings.md. Helm would print large numbers as 4e+07, so they are
converted to integers. */}}
{{- define "dctnet.settings" -}}
DCTNET_STYLES: {{ include "dctnet.stylesSetting" . | quote }}
{{- with include "dctnet.styleDigestsSetting" (dict "root" . "sourceOnly" false) }}
DCTNET_STYLE_DIGESTS: {{ . | quote }}
{{- end }}
DCTNET_STYLES_OPTIONAL: {{ .Values.model.stylesOptional | quote }}
{{- /* A sandbox hides the cgroup, from which the service would derive it. */}}
{{- if gt (include "dctnet.styleCount" . | int64) 1 }}
DCTNET_STYLE_CACHE: {{ include "dctnet.hotStyles" . | quote }}
{{- end }}
{{- if eq .Values.model.source "modelscope" }}
DCTNET_MODELS_DIR: /models
{{- end }}
{{- with .Values.inference.slots }}
DCTNET_SLOTS: {{ . | int64 | quote }}
{{- end }}
DCTNET_THREADS: {{ .Values.inference.threads | quote }}
DCTNET_RUNTIME: {{ .Values.inference.runtime | quote }}
DCTNET_QUEUE_SIZE: {{ include "dctnet.queueSize" . | quote }}
DCTNET_MAX_UPLOADS: {{ .Values.admission.maxUploads | int64 | quote }}
DCTNET_MAX_WAITING_BYTES: {{ .Values.admission.maxWaitingBytes | int64 | quote }}
DCTNET_MAX_BODY_BYTES: {{ .Values.requestLimits.bodyBytes | int64 | quote }}
DCTNET_MAX_PIXELS: {{ .Values.requestLimits.pixels | int64 | quote }}
DCTNET_MAX_WORKING_SIDE: {{ .Values.requestLimits.workingSide | int64 | quote }}
DCTNET_MAX_UNSENT_BYTES: {{ .Values.requestLimits.unsentBytes | int64 | quote }}
{{- with .Values.timeouts }}
DCTNET_REQUEST_TIMEOUT: {{ .request | quote }}
DCTNET_WATCHDOG_TIMEOUT: {{ .watchdog | quote }}
DCTNET_DRAIN_DELAY: {{ .drainDelay | quote }}
DCTNET_HEADER_TIMEOUT: {{ .header | quote }}
DCTNET_UPLOAD_IDLE_TIMEOUT: {{ .uploadIdle | quote }}
DCTNET_MIN_UPLOAD_RATE: {{ .minUploadRate | int64 | quote }}
DCTNET_RESPONSE_TIMEOUT: {{ .response | quote }}
DCTNET_RESPONSE_IDLE_TIMEOUT: {{ .responseIdle | quote }}
DCTNET_MIN_RESPONSE_RATE: {{ .minResponseRate | int64 | quote }}
{{- end }}
{{- with trimSuffix "/" .Values.expose.path }}
DCTNET_PATH_PREFIX: {{ . | quote }}
{{- end }}
{{- if .Values.apiKeys.existingSecret }}
DCTNET_API_KEYS_FILE: {{ printf "/etc/dctnet/api-keys/%s" .Values.apiKeys.key | quote }}
{{- end }}
{{- with .Values.cors.origins }}
DCTNET_CORS_ORIGINS: {{ join "," . | quote }}
{{- end }}
DCTNET_FAIRNESS: {{ .Values.fairness.by }}
{{- with .Values.fairness.trustedProxies }}
DCTNET_TRUSTED_PROXIES: {{ join "," . | quote }}
{{- end }}
{{- with .Values.tracing }}
{{- if .endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ .endpoint | quote }}
OTEL_SERVICE_NAME: {{ include "dctnet.fullname" $ | quote }}
OTEL_TRACES_SAMPLER: parentbased_traceidratio
OTEL_TRACES_SAMPLER_ARG: {{ .sampleRatio | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Port of a URL, by default that of its scheme. */}}
{{- define "dctnet.tracingEndpointPort" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}

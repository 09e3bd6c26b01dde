{{/* The replicas' settings; docs/settings.md explains each. Numbers as integers: a large one would be
written as 4e+07. */}}
{{- define "dctnet.settings" -}}
DCTNET_MODEL: {{ include "dctnet.model" . | quote }}
{{- with .Values.model.digest }}
DCTNET_MODEL_DIGEST: {{ . | quote }}
{{- end }}
{{- if eq .Values.model.source "modelscope" }}
DCTNET_MODELS_DIR: /models
{{- end }}
{{- with .Values.slots }}
DCTNET_SLOTS: {{ . | int64 | quote }}
{{- end }}
DCTNET_THREADS: {{ .Values.threads | quote }}
DCTNET_RUNTIME: {{ .Values.runtime | quote }}
DCTNET_QUEUE: {{ .Values.queue | int64 | quote }}
DCTNET_UPLOADS: {{ .Values.uploads | int64 | quote }}
DCTNET_MAX_BYTES: {{ .Values.limits.bytes | int64 | quote }}
DCTNET_MAX_PIXELS: {{ .Values.limits.pixels | int64 | quote }}
DCTNET_MAX_WORKING_SIDE: {{ .Values.limits.workingSide | int64 | quote }}
{{- with .Values.timeouts }}
DCTNET_REQUEST_TIMEOUT: {{ .request | quote }}
DCTNET_WATCHDOG_TIMEOUT: {{ .watchdog | quote }}
DCTNET_DRAIN_DELAY: {{ .drainDelay | quote }}
DCTNET_HEADER_TIMEOUT: {{ .header | quote }}
DCTNET_UPLOAD_GRACE: {{ .uploadGrace | quote }}
DCTNET_UPLOAD_RATE: {{ .uploadRate | int64 | quote }}
{{- end }}
{{- if .Values.apiKeys.existingSecret }}
DCTNET_API_KEYS_FILE: {{ printf "/etc/dctnet/api-keys/%s" .Values.apiKeys.key | quote }}
{{- end }}
{{- end -}}

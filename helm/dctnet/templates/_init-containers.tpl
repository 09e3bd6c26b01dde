{{/* Init containers that fetch and convert the model. Each locks its folder, writes it atomically, and
exits at once if it exists. */}}
{{- define "dctnet.modelInitContainers" -}}
{{- $fetch := list "fetch" .Values.model.style -}}
{{- with .Values.model.revision }}{{- $fetch = concat $fetch (list "--revision" .) }}{{- end -}}
{{- if hasPrefix "source:" .Values.model.digest }}{{- $fetch = concat $fetch (list "--digest" .Values.model.digest) }}{{- end -}}
{{- range list (dict "name" "fetch" "args" $fetch) (dict "name" "prepare" "args" (list "prepare" .Values.model.style)) }}
- name: {{ .name }}
  image: {{ include "dctnet.image" $ | quote }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  args:
    {{- toYaml .args | nindent 4 }}
  env:
    - name: DCTNET_MODELS_DIR
      value: /models
    {{- if eq .name "fetch" }}
    {{- with $.Values.model.endpoint }}
    - name: MODELSCOPE_ENDPOINT
      value: {{ quote . }}
    {{- end }}
    {{- with $.Values.model.tokenSecret }}
    {{- if .name }}
    - name: MODELSCOPE_API_TOKEN
      valueFrom:
        secretKeyRef:
          name: {{ .name | quote }}
          key: {{ .key | quote }}
    {{- end }}
    {{- end }}
    {{- end }}
    {{- with $.Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    {{- toYaml $.Values.model.prepare.resources | nindent 4 }}
  securityContext:
    {{- toYaml $.Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    - name: model
      mountPath: /models
{{- end }}
{{- end -}}

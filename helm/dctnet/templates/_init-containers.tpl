{{/* Init containers that fetch and convert the models, one after another. Each locks a folder, writes it
atomically, and skips it if it exists. */}}
{{- define "dctnet.modelInitContainers" -}}
{{- $styles := include "dctnet.listedStyles" . | fromJsonArray -}}
{{- $fetch := concat (list "fetch") $styles -}}
{{- with .Values.model.revision }}{{- $fetch = concat $fetch (list "--revision" .) }}{{- end -}}
{{- range list (dict "name" "fetch" "args" $fetch) (dict "name" "prepare" "args" (concat (list "prepare") $styles)) }}
- name: {{ .name }}
  image: {{ include "dctnet.image" $ | quote }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  args:
    {{- toYaml .args | nindent 4 }}
  {{- with $.Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  env:
    - name: DCTNET_MODELS_DIR
      value: /models
    {{- if eq .name "fetch" }}
    {{- with include "dctnet.styleDigestsSetting" (dict "root" $ "sourceOnly" true) }}
    - name: DCTNET_STYLE_DIGESTS
      value: {{ quote . }}
    {{- end }}
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
  # `kubectl describe pod` shows the log's end, which names the style that failed.
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with $.Values.model.prepare.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    - name: model
      mountPath: /models
    {{- with $.Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

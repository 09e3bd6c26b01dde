{{/* Fetch and conversion of the models: containers, Job, and the wait for it. */}}

{{/* Container that runs a command on the model volume. Arguments: root, name, variant, args, env, resources. */}}
{{- define "dctnet.modelContainer" -}}
- name: {{ .name }}
  image: {{ include "dctnet.image" . | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    {{- toYaml .args | nindent 4 }}
  {{- with .root.Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  env:
    - name: DCTNET_MODELS_DIR
      value: /models
    {{- range $name, $value := .env }}
    {{- with $value }}
    - name: {{ $name }}
      {{- if kindIs "string" . }}
      value: {{ quote . }}
      {{- else }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- with .root.Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  # `kubectl describe pod` shows the log's end, which names the style that failed.
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with .resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    - name: model
      mountPath: /models
    {{- with .root.Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Container that fetches the models. It locks a folder, writes it atomically, and skips it if it exists. */}}
{{- define "dctnet.fetchContainer" -}}
{{- $model := .Values.model -}}
{{- $args := concat (list "fetch") (include "dctnet.listedStyles" . | fromJsonArray) -}}
{{- with $model.revision }}{{- $args = concat $args (list "--revision" .) }}{{- end -}}
{{- $token := dict "valueFrom" (dict "secretKeyRef" $model.tokenSecret) -}}
{{- $env := dict
    "DCTNET_STYLE_DIGESTS" (include "dctnet.styleDigestsSetting" (dict "root" . "sourceOnly" true))
    "MODELSCOPE_ENDPOINT" $model.endpoint
    "MODELSCOPE_API_TOKEN" (ternary $token "" (not (empty $model.tokenSecret.name))) -}}
{{- include "dctnet.modelContainer" (dict "root" . "name" "fetch" "variant" "tensorflow" "args" $args "env" $env "resources" $model.prepare.resources) -}}
{{- end -}}

{{/* Container that converts them, in the same way. */}}
{{- define "dctnet.prepareContainer" -}}
{{- $args := concat (list "prepare") (include "dctnet.listedStyles" . | fromJsonArray) -}}
{{- include "dctnet.modelContainer" (dict "root" . "name" "prepare" "variant" "tensorflow" "args" $args "resources" .Values.model.prepare.resources) -}}
{{- end -}}

{{/* Init container of a replica that waits until the Job has written all styles. It has the resources of the
replica, which cost the pod nothing more. Its arguments do not name the Job, whose name changes with it. */}}
{{- define "dctnet.waitContainer" -}}
{{- $folders := include "dctnet.stylesSetting" . | splitList "," -}}
{{- $hint := printf "A Job writes it: kubectl -n %s logs -l %s --all-containers" (include "dctnet.namespace" .) (include "dctnet.fetchSelector" .) -}}
{{- $args := concat (list "verify") $folders (list "--wait" (include "dctnet.fetchTimeout" .) "--wait-hint" $hint) -}}
{{- $env := dict "DCTNET_STYLE_DIGESTS" (include "dctnet.styleDigestsSetting" (dict "root" . "sourceOnly" false)) -}}
{{- $resources := include "dctnet.resources" . | fromYaml -}}
{{- include "dctnet.modelContainer" (dict "root" . "name" "wait-for-models" "variant" (include "dctnet.imageVariant" .) "args" $args "env" $env "resources" $resources) -}}
{{- end -}}

{{/* Init containers of a replica that need the model volume. */}}
{{- define "dctnet.modelInitContainers" -}}
{{- $by := include "dctnet.fetchedBy" . -}}
{{- if eq $by "pods" -}}
{{- include "dctnet.fetchContainer" . }}
{{ include "dctnet.prepareContainer" . }}
{{- else if eq $by "job" -}}
{{- include "dctnet.waitContainer" . }}
{{- end -}}
{{- end -}}

{{/* Labels of the Job's pods, for `kubectl` and policies. */}}
{{- define "dctnet.fetchLabels" -}}
app.kubernetes.io/name: {{ include "dctnet.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: fetch
{{- end -}}

{{- define "dctnet.fetchSelector" -}}
app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/component=fetch
{{- end -}}

{{/* Name of the Job. It ends in a hash of the spec, which is immutable: another spec is another Job, and Helm
deletes the old one. */}}
{{- define "dctnet.fetchJobName" -}}
{{- $hash := include "dctnet.fetchJobSpec" . | fromYaml | toJson | sha256sum | trunc 10 -}}
{{- printf "%s-fetch-%s" (include "dctnet.fullname" . | trunc 46 | trimSuffix "-") $hash -}}
{{- end -}}

{{- define "dctnet.fetchJobSpec" -}}
backoffLimit: {{ int64 .Values.model.fetch.backoffLimit }}
template:
  metadata:
    {{- include "dctnet.metadata" (dict "root" . "component" "fetch" "labels" .Values.podLabels "annotations" .Values.podAnnotations "template" true) | nindent 4 }}
  spec:
    {{- include "dctnet.fetchPodSpec" . | trim | nindent 4 }}
{{- end -}}

{{- define "dctnet.fetchPodSpec" -}}
{{- include "dctnet.podSpec" . | trim }}
{{- include "dctnet.nameResolution" . }}
restartPolicy: OnFailure
initContainers:
  {{- include "dctnet.fetchContainer" . | nindent 2 }}
containers:
  {{- include "dctnet.prepareContainer" . | nindent 2 }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
  - name: model
    persistentVolumeClaim:
      claimName: {{ include "dctnet.cacheClaimName" . | quote }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Where the model comes from, and which image that takes. */}}

{{/* "true" where pods fetch and prepare the model themselves. */}}
{{- define "dctnet.modelFetchEnabled" -}}
{{- if and (eq .Values.model.source "modelscope") (not .Values.model.cache.prepared) -}}true{{- end -}}
{{- end -}}

{{- define "dctnet.imageVariant" -}}
{{- $auto := ternary "tensorflow" "runtime" (eq (include "dctnet.modelFetchEnabled" .) "true") -}}
{{- ternary $auto .Values.image.variant (eq .Values.image.variant "auto") -}}
{{- end -}}

{{/* What DCTNET_MODEL is. */}}
{{- define "dctnet.modelSetting" -}}
{{- $model := .Values.model -}}
{{- if eq $model.source "modelscope" -}}{{ $model.style }}
{{- else if eq $model.source "demo" -}}demo
{{- else if eq $model.source "baked" -}}{{ $model.baked.path }}
{{- else -}}/model{{ with (get $model $model.source).path }}/{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The volume with the model: its source, without the name. */}}
{{- define "dctnet.modelVolume" -}}
{{- $model := .Values.model -}}
{{- if eq $model.source "existingClaim" }}
persistentVolumeClaim:
  claimName: {{ $model.existingClaim.name | quote }}
  readOnly: true
{{- else if eq $model.source "image" }}
image:
  reference: {{ $model.image.reference | quote }}
  pullPolicy: {{ $model.image.pullPolicy }}
{{- else if eq $model.source "modelscope" }}
{{- with include "dctnet.cacheClaimName" . }}
persistentVolumeClaim:
  claimName: {{ . | quote }}
  {{- if $model.cache.prepared }}
  readOnly: true
  {{- end }}
{{- else }}
emptyDir:
  sizeLimit: {{ $model.cache.size }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dctnet.modelMountPath" -}}
{{- ternary "/models" "/model" (eq .Values.model.source "modelscope") -}}
{{- end -}}

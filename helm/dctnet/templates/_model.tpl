{{/* Model source and image variant. */}}

{{/* "true" if pods fetch and convert the model, otherwise empty. */}}
{{- define "dctnet.modelFetchEnabled" -}}
{{- if and (eq .Values.model.source "modelscope") (not .Values.model.cache.prepared) -}}true{{- end -}}
{{- end -}}

{{- define "dctnet.imageVariant" -}}
{{- $auto := ternary "tensorflow" "runtime" (eq (include "dctnet.modelFetchEnabled" .) "true") -}}
{{- ternary $auto .Values.image.variant (eq .Values.image.variant "auto") -}}
{{- end -}}

{{/* Value of DCTNET_MODEL. */}}
{{- define "dctnet.modelSetting" -}}
{{- $model := .Values.model -}}
{{- if eq $model.source "modelscope" -}}{{ $model.style }}
{{- else if eq $model.source "demo" -}}demo
{{- else if eq $model.source "baked" -}}{{ $model.baked.path }}
{{- else -}}/model{{ with (get $model $model.source).path }}/{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* Source of the model volume, without its name. */}}
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

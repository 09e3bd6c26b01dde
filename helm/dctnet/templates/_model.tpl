{{/* Model source, styles and image variant. */}}

{{/* What fetches and converts the models: "job", "pods", or empty if nothing does. */}}
{{- define "dctnet.fetchedBy" -}}
{{- if and (eq .Values.model.source "modelscope") (not .Values.model.cache.prepared) -}}
{{- $shared := and (include "dctnet.cacheClaimCreated" .) (has "ReadWriteMany" .Values.model.cache.accessModes) -}}
{{- eq .Values.model.fetch.by "auto" | ternary (ternary "job" "pods" (not (empty $shared))) .Values.model.fetch.by -}}
{{- end -}}
{{- end -}}

{{/* Seconds in which the models are fetched and converted, even from a distant hub. */}}
{{- define "dctnet.fetchTimeout" -}}
{{- include "dctnet.styleCount" . | int64 | mul 300 | add 600 -}}
{{- end -}}

{{- define "dctnet.imageVariant" -}}
{{- $auto := ternary "tensorflow" "runtime" (eq (include "dctnet.fetchedBy" .) "pods") -}}
{{- ternary $auto .Values.image.variant (eq .Values.image.variant "auto") -}}
{{- end -}}

{{/* "true" if the chart creates the claim of the models, otherwise empty. */}}
{{- define "dctnet.cacheClaimCreated" -}}
{{- if and (eq .Values.model.source "modelscope") .Values.model.cache.create (not .Values.model.cache.existingClaim) -}}true{{- end -}}
{{- end -}}

{{/* Public styles, and those that ship with the service, as JSON. service/dctnet/models/styles.py has the
originals; tests compare them. */}}
{{- define "dctnet.publicStyles" -}}
{{- list "anime" "3d" "handdrawn" "sketch" "artstyle" "sd-design" "sd-illustration" | toJson -}}
{{- end -}}

{{- define "dctnet.shippedStyles" -}}
{{- list "comic" "sketch" "poster" | toJson -}}
{{- end -}}

{{/* model.styles or its default, as JSON; empty for the one model folder at the path of a source. */}}
{{- define "dctnet.listedStyles" -}}
{{- $model := .Values.model -}}
{{- if $model.styles -}}{{ toJson $model.styles }}
{{- else if eq $model.source "modelscope" -}}{{ list "anime" | toJson }}
{{- else if eq $model.source "demo" -}}{{ include "dctnet.shippedStyles" . }}
{{- else -}}[]
{{- end -}}
{{- end -}}

{{/* Names of the listed styles, as JSON: `dctnet prepare` writes the style anime to anime-converted. */}}
{{- define "dctnet.styleNames" -}}
{{- $names := list -}}
{{- range include "dctnet.listedStyles" . | fromJsonArray -}}
{{- $names = append $names (trimSuffix "-converted" .) -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- define "dctnet.styleCount" -}}
{{- include "dctnet.listedStyles" . | fromJsonArray | len | max 1 -}}
{{- end -}}

{{/* "true" if each style has an image of its own, otherwise empty. */}}
{{- define "dctnet.styleImagesEnabled" -}}
{{- if and (eq .Values.model.source "image") .Values.model.image.references -}}true{{- end -}}
{{- end -}}

{{/* Value of DCTNET_STYLES: names of shipped styles, or paths of model folders. The path of a fetched style
cannot mean the shipped one of that name. */}}
{{- define "dctnet.stylesSetting" -}}
{{- $model := .Values.model -}}
{{- $listed := include "dctnet.listedStyles" . | fromJsonArray -}}
{{- if eq $model.source "demo" -}}{{ join "," $listed }}
{{- else if eq $model.source "modelscope" -}}/models/{{ join "-converted,/models/" $listed }}-converted
{{- else -}}
{{- $path := (get $model $model.source).path -}}
{{- $below := $path | empty | ternary "" (printf "/%s" $path) -}}
{{- $folder := eq $model.source "baked" | ternary $path (printf "/model%s" $below) -}}
{{- $entries := list -}}
{{- range $listed -}}
{{- $own := include "dctnet.styleImagesEnabled" $ | eq "true" | ternary (printf "/model/%s%s" . $below) (printf "%s/%s" $folder .) -}}
{{- $entries = append $entries $own -}}
{{- end -}}
{{- join "," ($entries | default (list $folder)) -}}
{{- end -}}
{{- end -}}

{{/* Value of DCTNET_STYLE_DIGESTS; with `sourceOnly` only the pins of upstream files. Arguments: root,
sourceOnly. */}}
{{- define "dctnet.styleDigestsSetting" -}}
{{- $pins := list -}}
{{- range $style, $digest := .root.Values.model.digests -}}
{{- if or (not $.sourceOnly) (hasPrefix "source:" $digest) -}}
{{- $pins = append $pins (printf "%s=%s" $style $digest) -}}
{{- end -}}
{{- end -}}
{{- join "," $pins -}}
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
  reference: {{ include "dctnet.modelImage" (dict "root" . "reference" $model.image.reference) | quote }}
  pullPolicy: {{ $model.image.pullPolicy }}
{{- else if eq $model.source "modelscope" }}
{{- with include "dctnet.cacheClaimName" . }}
persistentVolumeClaim:
  claimName: {{ . | quote }}
  {{- if ne (include "dctnet.fetchedBy" $) "pods" }}
  readOnly: true
  {{- end }}
{{- else }}
emptyDir:
  sizeLimit: {{ $model.cache.size }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Names of the emptyDir volumes, whose loss costs nothing but a second fetch. */}}
{{- define "dctnet.scratchVolumes" -}}
{{- contains "emptyDir" (include "dctnet.modelVolumes" .) | ternary "tmp,model" "tmp" -}}
{{- end -}}

{{/* Model volumes: one, one per style, or none. */}}
{{- define "dctnet.modelVolumes" -}}
{{- $image := .Values.model.image -}}
{{- if include "dctnet.styleImagesEnabled" . }}
{{- range include "dctnet.listedStyles" . | fromJsonArray }}
- name: style-{{ . }}
  image:
    reference: {{ include "dctnet.modelImage" (dict "root" $ "reference" (get $image.references .)) | quote }}
    pullPolicy: {{ $image.pullPolicy }}
{{- end }}
{{- else }}
{{- with include "dctnet.modelVolume" . | trim }}
- name: model
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dctnet.modelVolumeMounts" -}}
{{- if include "dctnet.styleImagesEnabled" . }}
{{- range include "dctnet.listedStyles" . | fromJsonArray }}
- name: style-{{ . }}
  mountPath: /model/{{ . }}
  readOnly: true
{{- end }}
{{- else if include "dctnet.modelVolume" . | trim }}
- name: model
  mountPath: {{ ternary "/models" "/model" (eq .Values.model.source "modelscope") }}
  readOnly: true
{{- end }}
{{- end -}}

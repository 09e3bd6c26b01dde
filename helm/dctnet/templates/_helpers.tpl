{{/* Names, labels, metadata and the image. */}}

{{- define "dctnet.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Full name of the release: at most 52 characters, since names have 63 and the longest suffix 11. */}}
{{- define "dctnet.fullname" -}}
{{- $name := include "dctnet.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* Namespace of the objects; `helm` keeps the release itself in .Release.Namespace. */}}
{{- define "dctnet.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/* Name and namespace of an object that may be in a namespace shared by several releases. Arguments: root,
name, namespace. */}}
{{- define "dctnet.placement" -}}
{{- $own := include "dctnet.namespace" .root -}}
name: {{ .namespace | empty | ternary .name (printf "%s-%s" $own .name) | quote }}
namespace: {{ .namespace | default $own | quote }}
{{- end -}}

{{- define "dctnet.managementName" -}}
{{ include "dctnet.fullname" . }}-management
{{- end -}}

{{- define "dctnet.serviceAccountName" -}}
{{- $default := ternary (include "dctnet.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{- define "dctnet.cacheClaimName" -}}
{{- $created := ternary (printf "%s-model" (include "dctnet.fullname" .)) "" .Values.model.cache.create -}}
{{- .Values.model.cache.existingClaim | default $created -}}
{{- end -}}

{{/* Secret with the TLS certificate of a host. Arguments: root, host. */}}
{{- define "dctnet.tlsSecretName" -}}
{{- $tls := .root.Values.expose.tls -}}
{{- get $tls.secretNames .host | default $tls.secretName | default (printf "%s-tls" (include "dctnet.fullname" .root)) -}}
{{- end -}}

{{/* Labels that select the replicas. They are immutable in a Deployment. */}}
{{- define "dctnet.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dctnet.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: replica
{{- end -}}

{{/* Label value of a version, which may have a `+` and any length. */}}
{{- define "dctnet.versionLabel" -}}
{{- . | replace "+" "_" | trunc 63 | regexFind ".*[A-Za-z0-9]" -}}
{{- end -}}

{{/* Labels and annotations of an object. Arguments: root, component, labels, annotations, and template: true
in a pod template, where a new version of the chart alone changes nothing. */}}
{{- define "dctnet.metadata" -}}
{{- $own := dict
    "app.kubernetes.io/name" (include "dctnet.name" .root)
    "app.kubernetes.io/instance" .root.Release.Name
    "app.kubernetes.io/component" .component
    "app.kubernetes.io/version" (include "dctnet.versionLabel" .root.Chart.AppVersion)
    "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- if not .template -}}
{{- $_ := printf "%s-%s" .root.Chart.Name .root.Chart.Version | include "dctnet.versionLabel" | set $own "helm.sh/chart" -}}
{{- end -}}
labels:
  {{- merge $own (.labels | default dict) .root.Values.commonLabels | toYaml | nindent 2 }}
{{- with merge dict (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Image of a variant. A tag of your own is that of the replicas' variant: the other one has the suffix of its
default. Arguments: root, variant. */}}
{{- define "dctnet.image" -}}
{{- $image := .root.Values.image -}}
{{- $suffix := ternary "-tensorflow" "" (eq .variant "tensorflow") -}}
{{- $own := eq .variant (include "dctnet.imageVariant" .root) | ternary $image.tag (printf "%s%s" (trimSuffix $suffix $image.tag) $suffix) -}}
{{- $tag := $image.tag | empty | ternary (printf "%s%s" (replace "+" "_" .root.Chart.AppVersion) $suffix) $own -}}
{{- $digest := $image.digest | default (ternary "" (get $image.digests .variant) (ne $image.tag "")) -}}
{{- with .root.Values.global.imageRegistry | default $image.registry }}{{ . }}/{{ end -}}
{{ $image.repository }}:{{ $tag }}{{ with $digest }}@{{ . }}{{ end }}
{{- end -}}

{{/* Image of the replicas. */}}
{{- define "dctnet.replicaImage" -}}
{{- include "dctnet.image" (dict "root" . "variant" (include "dctnet.imageVariant" .)) -}}
{{- end -}}

{{/* Reference of a model's image, with the registry replaced by global.imageRegistry. Arguments: root,
reference. */}}
{{- define "dctnet.modelImage" -}}
{{- $reference := .reference -}}
{{- with .root.Values.global.imageRegistry -}}
{{- $reference = regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $reference "" | printf "%s/%s" . -}}
{{- end -}}
{{- $reference -}}
{{- end -}}

{{- define "dctnet.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.global.imagePullSecrets | default list) .Values.imagePullSecrets -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name")) -}}
{{- end -}}
{{- with uniq $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ quote . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Part of the spec that all pods share, that of `helm test` included. */}}
{{- define "dctnet.podSpec" -}}
{{- include "dctnet.imagePullSecrets" . }}
serviceAccountName: {{ include "dctnet.serviceAccountName" . | quote }}
automountServiceAccountToken: false
# A Service named dctnet would inject variables that look like settings.
enableServiceLinks: false
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- if not (kindIs "invalid" .Values.hostUsers) }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Part of the spec of pods that connect to other hosts. That of `helm test` only resolves Services. */}}
{{- define "dctnet.nameResolution" -}}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . | quote }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "dctnet.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

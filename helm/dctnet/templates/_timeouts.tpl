{{/* The chain of timeouts: everything follows from the request's, and each must outlast the one
inside it. `service/dctnet/config.py` derives Gunicorn's by the same sum. */}}

{{- define "dctnet.gracefulTimeout" -}}
{{- with .Values.timeouts -}}
{{- add (ceil (addf .drainDelay .request)) 5 -}}
{{- end -}}
{{- end -}}

{{- define "dctnet.terminationGracePeriod" -}}
{{- $derived := add (include "dctnet.gracefulTimeout" .) 5 -}}
{{- kindIs "invalid" .Values.timeouts.terminationGracePeriod | ternary $derived .Values.timeouts.terminationGracePeriod -}}
{{- end -}}

{{- define "dctnet.proxyReadTimeout" -}}
{{- $derived := add (ceil .Values.timeouts.request) 5 -}}
{{- kindIs "invalid" .Values.timeouts.proxyRead | ternary $derived .Values.timeouts.proxyRead -}}
{{- end -}}

{{- define "dctnet.proxyTotalTimeout" -}}
{{- $derived := add (ceil .Values.timeouts.request) 10 -}}
{{- kindIs "invalid" .Values.timeouts.proxyTotal | ternary $derived .Values.timeouts.proxyTotal -}}
{{- end -}}

{{/* 64 KiB more than an image, for what a form has around it. */}}
{{- define "dctnet.proxyBodyBytes" -}}
{{- add .Values.requestLimits.bodyBytes 65536 -}}
{{- end -}}

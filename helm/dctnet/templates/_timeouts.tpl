{{/* Timeouts derived from timeouts.request; each must be longer than the one it encloses.
service/dctnet/config.py derives Gunicorn's graceful timeout by the same formula. */}}

{{- define "dctnet.gracefulTimeout" -}}
{{- with .Values.timeouts -}}
{{- add (ceil (addf .drainDelay .request)) 5 -}}
{{- end -}}
{{- end -}}

{{/* Seconds that a preStop hook sleeps. The grace period starts with the hook, SIGTERM follows it. */}}
{{- define "dctnet.preStopSleep" -}}
{{- dig "preStop" "sleep" "seconds" 0 .Values.lifecycle | int64 -}}
{{- end -}}

{{- define "dctnet.terminationGracePeriod" -}}
{{- $derived := add (include "dctnet.gracefulTimeout" .) (include "dctnet.preStopSleep" .) 5 -}}
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

{{/* Body limit of the proxy: 64 KiB more than the service's, for multipart form fields. */}}
{{- define "dctnet.proxyBodyBytes" -}}
{{- add .Values.requestLimits.bodyBytes 65536 -}}
{{- end -}}

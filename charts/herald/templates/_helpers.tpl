{{/* The image, by digest where there is one. */}}
{{- define "herald.image" -}}
{{- .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* What an object's labels always are: (dict "root" $ "component" "manager"), where the component may be empty. */}}
{{- define "herald.labels" -}}
app.kubernetes.io/name: herald
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that select the manager's pods. They can't be changed once the Deployment is there. */}}
{{- define "herald.managerLabels" -}}
app.kubernetes.io/name: herald
app.kubernetes.io/component: manager
{{- end }}

{{/* The Secret with the webhook server's certificate, where the manager does not make it. */}}
{{- define "herald.webhookSecret" -}}
{{- if eq .Values.webhook.certificates "CertManager" }}herald-webhook-certificate
{{- else if eq .Values.webhook.certificates "Mounted" }}{{ .Values.webhook.secretName }}
{{- end }}
{{- end }}

{{/* The manager's configuration file: what is not set is left to the manager. It sees itself whether a certificate is mounted. */}}
{{- define "herald.configuration" -}}
{{- $agent := dict "logLevel" .Values.agent.logLevel }}
{{- range $field := list "image" "nodeSelector" "resources" }}
{{- with index $.Values.agent $field }}{{ $_ := set $agent $field . }}{{ end }}
{{- end }}
{{- if kindIs "slice" .Values.agent.tolerations }}{{ $_ := set $agent "tolerations" .Values.agent.tolerations }}{{ end }}
{{- $proxy := dict }}
{{- with .Values.agent.serviceProxy.healthURL }}{{ $_ := set $proxy "healthURL" . }}{{ end }}
{{- if not (kindIs "invalid" .Values.agent.serviceProxy.waitSeconds) }}
{{- $_ := set $proxy "waitSeconds" (int .Values.agent.serviceProxy.waitSeconds) }}
{{- end }}
{{- with $proxy }}{{ $_ := set $agent "serviceProxy" . }}{{ end }}
{{- toYaml (dict "agent" $agent) }}
{{- end }}

{{/* Whom a component may reach, as rules of a NetworkPolicy. Takes root, kafka (true or false) and
     database. */}}
{{- define "payrouter.egress" -}}
{{- $policy := .root.Values.networkPolicy -}}
- to:
    {{- toYaml $policy.dns.to | nindent 4 }}
  ports:
    - { port: {{ $policy.dns.port }}, protocol: UDP }
    - { port: {{ $policy.dns.port }}, protocol: TCP }
{{- if .kafka }}
- ports:
    {{- include "payrouter.kafkaPorts" .root | nindent 4 }}
  {{- with $policy.kafkaTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if .database }}
- ports:
    {{- range $policy.databasePorts }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
  {{- with $policy.databaseTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The ports in kafka.bootstrapServers; brokers must be advertised with one of them. */}}
{{- define "payrouter.kafkaPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.kafka.bootstrapServers -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | int) -}}
{{- end -}}
{{- range $index, $port := $ports | uniq }}
{{- if $index }}
{{ end -}}
- { port: {{ $port }}, protocol: TCP }
{{- end }}
{{- end -}}

{{/* A NetworkPolicy of one component. Takes root, name, ports (of management), kafka, database and
     outside (ports that it may reach anywhere). */}}
{{- define "payrouter.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "payrouter.component" . }}
  labels:
    {{- include "payrouter.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "payrouter.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- if .management }}
  ingress:
    {{- if .pages }}
    - ports: [{ port: pages, protocol: TCP }]
      from:
        {{- toYaml .root.Values.networkPolicy.pagesFrom | nindent 8 }}
    {{- end }}
    {{- if .webhooks }}
    - ports: [{ port: webhooks, protocol: TCP }]
      from:
        - podSelector:
            matchLabels:
              {{- include "payrouter.selectorLabels" (dict "root" .root "name" "test") | nindent 14 }}
        {{- toYaml .root.Values.networkPolicy.webhooksFrom | nindent 8 }}
    {{- end }}
    - ports: [{ port: management, protocol: TCP }]
      from:
        - podSelector:
            matchLabels:
              {{- include "payrouter.selectorLabels" (dict "root" .root "name" "test") | nindent 14 }}
        {{- with .root.Values.networkPolicy.metricsFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- end }}
  egress:
    {{- include "payrouter.egress" . | trim | nindent 4 }}
    {{- with .outside }}
    - ports:
        {{- range . }}
        - { port: {{ . }}, protocol: TCP }
        {{- end }}
    {{- end }}
    {{- if .inside }}
    - ports:
        - { port: webhooks, protocol: TCP }
        - { port: management, protocol: TCP }
      to:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: payrouter
              app.kubernetes.io/instance: {{ .root.Release.Name }}
    {{- end }}
{{- end -}}

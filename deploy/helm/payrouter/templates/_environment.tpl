{{/* Variables of every client of Kafka but its credentials. */}}
{{- define "payrouter.brokerVariables" -}}
{{- $kafka := .Values.kafka -}}
PAYROUTER_KAFKA__BOOTSTRAP_SERVERS: {{ required "kafka.bootstrapServers: the addresses of some brokers, as host:port with a comma between" $kafka.bootstrapServers | quote }}
PAYROUTER_KAFKA__SECURITY_PROTOCOL: {{ $kafka.securityProtocol }}
PAYROUTER_KAFKA__MAX_REQUEST_BYTES: {{ int $kafka.maxRequestBytes | quote }}
{{- if $kafka.caSecret.name }}
PAYROUTER_KAFKA__SSL_CAFILE: /run/secrets/kafka-ca/{{ $kafka.caSecret.key }}
{{- end }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
PAYROUTER_KAFKA__SASL_MECHANISM: {{ $kafka.saslMechanism }}
{{- end }}
{{- end -}}

{{/* Variables of every process, as a YAML map. */}}
{{- define "payrouter.commonVariables" -}}
PAYROUTER_LOG__FORMAT: json
PAYROUTER_TOPICS__PREFIX: {{ .Values.topics.prefix | quote }}
{{- range $topic, $name := .Values.topics.names }}
PAYROUTER_TOPICS__NAMES__{{ upper $topic }}: {{ $name | quote }}
{{- end }}
PAYROUTER_TOPICS__PARTITIONS: {{ int .Values.topics.partitions | quote }}
PAYROUTER_TOPICS__REPLICATION_FACTOR: {{ int .Values.topics.replicationFactor | quote }}
PAYROUTER_TOPICS__MIN_INSYNC_REPLICAS: {{ int .Values.topics.minInsyncReplicas | quote }}
PAYROUTER_TOPICS__RETENTION_HOURS: {{ int .Values.topics.retentionHours | quote }}
{{- end -}}

{{/* Kafka user of a component. Takes root, name and spec. */}}
{{- define "payrouter.kafkaUser" -}}
{{- default (include "payrouter.component" .) .spec.kafkaUser.name -}}
{{- end -}}

{{/* Secret with the credentials of a component's Kafka user. Takes root, name and spec. */}}
{{- define "payrouter.kafkaSecret" -}}
{{- default (include "payrouter.kafkaUser" .) .spec.kafkaUser.secretName -}}
{{- end -}}

{{/* Variables of a component that is a client of Kafka. Takes root, name and spec. */}}
{{- define "payrouter.kafkaVariables" -}}
{{- $kafka := .root.Values.kafka -}}
{{- include "payrouter.brokerVariables" .root }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
{{- if eq $kafka.saslMechanism "OAUTHBEARER" }}
PAYROUTER_KAFKA__SASL_TOKEN_FILE: /run/secrets/kafka/token
{{- else }}
PAYROUTER_KAFKA__SASL_USERNAME: {{ include "payrouter.kafkaUser" . | quote }}
PAYROUTER_KAFKA__SASL_PASSWORD_FILE: /run/secrets/kafka/password
{{- end }}
{{- else if $kafka.clientCertificates }}
PAYROUTER_KAFKA__SSL_CERTFILE: /run/secrets/kafka/user.crt
PAYROUTER_KAFKA__SSL_KEYFILE: /run/secrets/kafka/user.key
{{- end }}
{{- end -}}

{{/* Whether a component has a Secret with credentials for Kafka: "true" or nothing. */}}
{{- define "payrouter.hasKafkaSecret" -}}
{{- if or (hasPrefix "SASL" .Values.kafka.securityProtocol) .Values.kafka.clientCertificates -}}true{{- end -}}
{{- end -}}

{{/* Variables of the edge. */}}
{{- define "payrouter.edgeVariables" -}}
{{- $edge := .Values.edge -}}
PAYROUTER_CONFIG: /etc/payrouter/payrouter.toml
PAYROUTER_EDGE__HOST: {{ .Values.listenAddress | quote }}
PAYROUTER_EDGE__MANAGEMENT_HOST: {{ .Values.listenAddress | quote }}
PAYROUTER_EDGE__PUBLIC_URL: https://{{ required "edge.host: the name by which gateways reach the edge, as pay.example.com" $edge.host }}
PAYROUTER_EDGE__DRAIN_SECONDS: {{ int $edge.drainSeconds | quote }}
{{- if $edge.spool.enabled }}
PAYROUTER_SPOOL__PATH: /var/lib/payrouter/spool
PAYROUTER_SPOOL__MAX_BYTES: {{ int64 $edge.spool.maxBytes | quote }}
PAYROUTER_SPOOL__DRAIN_SECONDS: {{ int $edge.spool.drainSeconds | quote }}
{{- end }}
{{- with $edge.trustedProxies }}
PAYROUTER_EDGE__TRUSTED_PROXIES: {{ toJson . | quote }}
{{- end }}
{{- if $edge.tlsSecretName }}
PAYROUTER_EDGE__TLS_CERTIFICATE: /run/secrets/tls/tls.crt
PAYROUTER_EDGE__TLS_KEY: /run/secrets/tls/tls.key
{{- end }}
{{ include "payrouter.kafkaVariables" (dict "root" . "name" "edge" "spec" $edge) }}
{{- end -}}

{{/* Variables of a consumer. Takes root, name and spec. */}}
{{- define "payrouter.consumerVariables" -}}
{{- $own := printf "PAYROUTER_CONSUMERS__%s" (upper .name) -}}
{{ $own }}__MANAGEMENT_HOST: {{ .root.Values.listenAddress | quote }}
PAYROUTER_DATABASE__URL_FILE: /run/secrets/database/url
{{- if include "payrouter.hasConfiguration" .spec }}
PAYROUTER_CONFIG: /etc/payrouter/payrouter.toml
{{- end }}
{{ include "payrouter.kafkaVariables" . }}
{{- end -}}

{{/* Variables that name the database of each consumer, for a process that uses all of them.
     Takes root and spec. */}}
{{- define "payrouter.databaseVariables" -}}
{{- if .spec.databases }}
{{- $databases := .spec.databases -}}
{{- range $name := fromJsonArray (include "payrouter.consumers" .root) }}
{{- if not (hasKey $databases $name) -}}
{{- fail (printf "databases.%s: missing, and databases names the Secret of every enabled consumer" $name) -}}
{{- end }}
PAYROUTER_CONSUMERS__{{ upper $name }}__DATABASE__URL_FILE: /run/secrets/database-{{ replace "_" "-" $name }}/url
{{- end }}
{{- else }}
PAYROUTER_DATABASE__URL_FILE: /run/secrets/database/url
{{- end }}
{{- end -}}

{{/* Prints a map of variables as `env`: the given ones over those of all processes.
     Takes root, variables (a YAML map as text) and env (a map that overrides them). */}}
{{- define "payrouter.env" -}}
{{- $all := mergeOverwrite (fromYaml (include "payrouter.commonVariables" .root)) (fromYaml .variables) (deepCopy .root.Values.env) (deepCopy .env) -}}
{{- range $name := keys $all | sortAlpha }}
- name: {{ $name }}
  value: {{ get $all $name | toString | quote }}
{{- end }}
{{- end -}}

{{/* Variables of the exporter. */}}
{{- define "payrouter.exporterVariables" -}}
PAYROUTER_EXPORTER__MANAGEMENT_HOST: {{ .Values.listenAddress | quote }}
PAYROUTER_EXPORTER__CONSUMERS: {{ include "payrouter.consumers" . | quote }}
{{ include "payrouter.databaseVariables" (dict "root" . "spec" .Values.exporter) }}
{{ include "payrouter.kafkaVariables" (dict "root" . "name" "exporter" "spec" .Values.exporter) }}
{{- end -}}

{{/* Variables of the console. */}}
{{- define "payrouter.consoleVariables" -}}
{{- $console := .Values.console -}}
PAYROUTER_CONSOLE__HOST: {{ .Values.listenAddress | quote }}
PAYROUTER_CONSOLE__MANAGEMENT_HOST: {{ .Values.listenAddress | quote }}
PAYROUTER_CONSOLE__PUBLIC_URL: https://{{ required "console.host: the name by which people reach the console, as console.example.com" $console.host }}
PAYROUTER_CONSOLE__ACTIONS: {{ $console.actions | quote }}
{{- if include "payrouter.hasConfiguration" $console }}
PAYROUTER_CONFIG: /etc/payrouter/payrouter.toml
{{- end }}
{{ include "payrouter.databaseVariables" (dict "root" . "spec" $console) }}
{{ include "payrouter.kafkaVariables" (dict "root" . "name" "console" "spec" $console) }}
{{- end -}}

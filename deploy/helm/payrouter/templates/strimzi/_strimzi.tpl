{{/* Names of the topics that each consumer reads, as a JSON list without duplicates. */}}
{{- define "payrouter.topicsRead" -}}
{{- $read := list -}}
{{- range $name := fromJsonArray (include "payrouter.consumers" .) -}}
{{- $spec := fromYaml (include "payrouter.consumer" (dict "root" $ "name" $name)) -}}
{{- $read = concat $read $spec.topics -}}
{{- end -}}
{{- $read | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* A topic. Takes root, topic (its name on the broker) and config (a map). */}}
{{- define "payrouter.kafkaTopic" }}
{{- $topics := .root.Values.topics }}
---
apiVersion: {{ .root.Values.strimzi.apiVersion }}
kind: KafkaTopic
metadata:
  name: {{ include "payrouter.topicObject" . }}
  labels:
    {{- include "payrouter.labels" (dict "root" .root "name" "topics") | nindent 4 }}
    strimzi.io/cluster: {{ required "strimzi.cluster: the name of the Kafka" .root.Values.strimzi.cluster }}
  annotations:
    # Uninstalling the chart must not delete events.
    helm.sh/resource-policy: keep
spec:
  topicName: {{ .topic }}
  partitions: {{ $topics.partitions }}
  replicas: {{ $topics.replicationFactor }}
  config:
    {{- toYaml (merge .config (dict "cleanup.policy" "delete" "min.insync.replicas" ($topics.minInsyncReplicas | int | toString))) | nindent 4 }}
{{- end -}}

{{/* A rule of a KafkaUser. Takes topic and operations. */}}
{{- define "payrouter.topicRight" }}
- resource: { type: topic, name: {{ .topic }}, patternType: literal }
  operations: [{{ join ", " .operations }}]
{{- end -}}

{{/* Takes group and operations. */}}
{{- define "payrouter.groupRight" }}
- resource: { type: group, name: {{ .group }}, patternType: literal }
  operations: [{{ join ", " .operations }}]
{{- end -}}

{{/* A user. Takes root, name, spec and rights (text). */}}
{{- define "payrouter.kafkaUserObject" }}
---
apiVersion: {{ .root.Values.strimzi.apiVersion }}
kind: KafkaUser
metadata:
  name: {{ include "payrouter.kafkaUser" . }}
  labels:
    {{- include "payrouter.labels" . | nindent 4 }}
    strimzi.io/cluster: {{ .root.Values.strimzi.cluster }}
spec:
  authentication:
    type: {{ ternary "tls" "scram-sha-512" .root.Values.kafka.clientCertificates }}
  authorization:
    type: simple
    acls:
      {{- .rights | trim | nindent 6 }}
{{- end -}}

{{/* Rights of the edge. READ and WRITE include DESCRIBE. */}}
{{- define "payrouter.edgeRights" -}}
{{- range $topic := list "payment" "payout" "subscription" "quarantine" "refused" }}
{{- $operations := ternary (list "Write") (list "Write" "DescribeConfigs") (eq $topic "refused") }}
{{- if and $.Values.strimzi.operatorCommands (has $topic (list "quarantine" "refused")) }}
{{- $operations = append $operations "Read" }}
{{- end }}
{{- include "payrouter.topicRight" (dict "topic" (include "payrouter.topic" (dict "root" $ "topic" $topic)) "operations" $operations) }}
{{- end }}
{{- end -}}

{{/* Rights of a consumer. Takes root, name and spec. */}}
{{- define "payrouter.consumerRights" -}}
{{- $self := . }}
{{- $operator := .root.Values.strimzi.operatorCommands }}
{{- range $topic := .spec.topics }}
{{- $name := include "payrouter.topic" (dict "root" $self.root "topic" $topic) }}
{{- $operations := list "Read" "DescribeConfigs" }}
{{- if and $operator (has $topic $self.spec.operatorTopics) }}
{{- $operations = append $operations "Write" }}
{{- end }}
{{- include "payrouter.topicRight" (dict "topic" $name "operations" $operations) }}
{{- include "payrouter.topicRight" (dict "topic" (printf "%s.%s.dlq" $name $self.name) "operations" (list "Write" "DescribeConfigs")) }}
{{- end }}
{{- if .spec.saysOutcomes }}
{{- include "payrouter.topicRight" (dict "topic" (printf "%s%s.outcome" .root.Values.topics.prefix .name) "operations" (list "Write" "DescribeConfigs")) }}
{{- end }}
{{- include "payrouter.groupRight" (dict "group" (include "payrouter.group" .) "operations" (list "Read")) }}
# To name the producer of an open transaction, which withholds records.
- resource: { type: transactionalId, name: "*", patternType: literal }
  operations: [Describe]
{{- end -}}

{{/* Rights of the console, which replays deliveries if actions are on. */}}
{{- define "payrouter.consoleRights" -}}
{{- $replayed := list "payment" "payout" "subscription" "quarantine" }}
{{- range $topic := concat $replayed (list "refused") (fromJsonArray (include "payrouter.topicsRead" .)) | uniq }}
{{- $operations := list "Read" }}
{{- if and $.Values.console.actions (has $topic $replayed) }}
{{- $operations = append $operations "Write" }}
{{- end }}
{{- include "payrouter.topicRight" (dict "topic" (include "payrouter.topic" (dict "root" $ "topic" $topic)) "operations" $operations) }}
{{- end }}
{{- range $name := fromJsonArray (include "payrouter.consumers" .) }}
{{- include "payrouter.groupRight" (dict "group" (include "payrouter.group" (dict "name" $name)) "operations" (list "Describe")) }}
{{- end }}
{{- end -}}

{{/* Rights of the exporter. */}}
{{- define "payrouter.exporterRights" -}}
{{- range $topic := fromJsonArray (include "payrouter.topicsRead" .) }}
{{- include "payrouter.topicRight" (dict "topic" (include "payrouter.topic" (dict "root" $ "topic" $topic)) "operations" (list "Read")) }}
{{- end }}
{{- range $name := fromJsonArray (include "payrouter.consumers" .) }}
{{- include "payrouter.groupRight" (dict "group" (include "payrouter.group" (dict "name" $name)) "operations" (list "Describe")) }}
{{- end }}
{{- end -}}

{{- define "payrouter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of a component's objects. Takes root and name. */}}
{{- define "payrouter.component" -}}
{{- printf "%s-%s" (include "payrouter.fullname" .root) (.name | replace "_" "-") -}}
{{- end -}}

{{/* Takes root and name. */}}
{{- define "payrouter.selectorLabels" -}}
app.kubernetes.io/name: payrouter
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{/* Takes root and name. */}}
{{- define "payrouter.labels" -}}
{{ include "payrouter.selectorLabels" . }}
app.kubernetes.io/part-of: payrouter
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "payrouter.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "payrouter.serviceAccount" -}}
{{- default (include "payrouter.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* A consumer's values over those of all consumers, as YAML. Takes root and name. */}}
{{- define "payrouter.consumer" -}}
{{- $own := default dict (get .root.Values.consumers .name) -}}
{{- $merged := mergeOverwrite (deepCopy .root.Values.consumerDefaults) (deepCopy $own) -}}
{{- if gt (int $merged.replicas) (int .root.Values.topics.partitions) -}}
{{- fail (printf "consumers.%s.replicas: %d is more than topics.partitions, %d; the others would wait without a partition" .name (int $merged.replicas) (int .root.Values.topics.partitions)) -}}
{{- end -}}
{{- if gt (int $merged.autoscaling.maxReplicas) (int .root.Values.topics.partitions) -}}
{{- fail (printf "consumers.%s.autoscaling.maxReplicas: %d is more than topics.partitions, %d; the others would wait without a partition" .name (int $merged.autoscaling.maxReplicas) (int .root.Values.topics.partitions)) -}}
{{- end -}}
{{- if gt (int $merged.autoscaling.minReplicas) (int $merged.autoscaling.maxReplicas) -}}
{{- fail (printf "consumers.%s.autoscaling: minReplicas is more than maxReplicas" .name) -}}
{{- end -}}
{{- $merged | toYaml -}}
{{- end -}}

{{/* Names of the enabled consumers, as a JSON list. */}}
{{- define "payrouter.consumers" -}}
{{- $names := list -}}
{{- range $name, $own := .Values.consumers -}}
{{- if or (kindIs "invalid" $own) (ne (toString (get $own "enabled")) "false") -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- sortAlpha $names | toJson -}}
{{- end -}}

{{/* Name on the broker of a topic such as `payment`. Takes root and topic. */}}
{{- define "payrouter.topic" -}}
{{- printf "%s%s" .root.Values.topics.prefix (default .topic (get .root.Values.topics.names .topic)) -}}
{{- end -}}

{{/* Name of an object for a topic: Kubernetes allows less than Kafka. Takes root and topic. */}}
{{- define "payrouter.topicObject" -}}
{{- printf "%s-%s" (include "payrouter.fullname" .root) (.topic | lower | replace "_" "-") -}}
{{- end -}}

{{/* Consumer group. Takes name and spec. */}}
{{- define "payrouter.group" -}}
{{- printf "payrouter.%s" .name -}}
{{- end -}}

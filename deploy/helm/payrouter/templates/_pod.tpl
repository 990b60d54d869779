{{/* The parts that every pod has. Takes root, name and spec (all of it optional: nodeSelector,
     tolerations, affinity, priorityClassName). */}}
{{- define "payrouter.podDefaults" -}}
automountServiceAccountToken: false
# The variables that Kubernetes makes of each Service would begin with PAYROUTER_ too, and be refused.
enableServiceLinks: false
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .spec.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .spec.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Spreads the pods of a component over zones and nodes. Takes root and name. */}}
{{- define "payrouter.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $.root.Values.spread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "payrouter.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* The parts that every container has. Takes the root. */}}
{{- define "payrouter.containerDefaults" -}}
image: {{ include "payrouter.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
{{- end -}}

{{/* Probes of a process by its management port. Takes the paths start and ready. A process that
     waits for its broker or its database is alive, so the start may take long. */}}
{{- define "payrouter.probes" -}}
startupProbe:
  httpGet: { path: {{ .start }}, port: management }
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 300
livenessProbe:
  httpGet: { path: /healthz, port: management }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: {{ .ready }}, port: management }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
{{- end -}}

{{/* Whether a component has a payrouter.toml: "true" or nothing. Takes its values. */}}
{{- define "payrouter.hasConfiguration" -}}
{{- if or .config .configSecret.name -}}true{{- end -}}
{{- end -}}

{{/* Where the files of a component are mounted. Takes root, name and spec. */}}
{{- define "payrouter.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if include "payrouter.hasConfiguration" .spec }}
- { name: configuration, mountPath: /etc/payrouter, readOnly: true }
{{- end }}
{{- if include "payrouter.hasKafkaSecret" .root }}
- { name: kafka, mountPath: /run/secrets/kafka, readOnly: true }
{{- end }}
{{- if .root.Values.kafka.caSecret.name }}
- { name: kafka-ca, mountPath: /run/secrets/kafka-ca, readOnly: true }
{{- end }}
{{- range .spec.secrets }}
- { name: {{ printf "secret-%s" .name }}, mountPath: /run/secrets/{{ .name }}, readOnly: true }
{{- end }}
{{- end -}}

{{/* Volumes of a component, without those of its databases. Takes root, name and spec. */}}
{{- define "payrouter.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- if .spec.configSecret.name }}
- name: configuration
  secret:
    secretName: {{ .spec.configSecret.name }}
    defaultMode: 0440
    items:
      - { key: {{ .spec.configSecret.key }}, path: payrouter.toml }
{{- else if .spec.config }}
- name: configuration
  configMap:
    name: {{ include "payrouter.component" . }}
{{- end }}
{{- if include "payrouter.hasKafkaSecret" .root }}
- name: kafka
  secret:
    secretName: {{ include "payrouter.kafkaSecret" . }}
    defaultMode: 0440
    items:
      {{- if not (hasPrefix "SASL" .root.Values.kafka.securityProtocol) }}
      - { key: user.crt, path: user.crt }
      - { key: user.key, path: user.key }
      {{- else if eq .root.Values.kafka.saslMechanism "OAUTHBEARER" }}
      - { key: {{ default "token" .spec.kafkaUser.key }}, path: token }
      {{- else }}
      - { key: {{ default "password" .spec.kafkaUser.key }}, path: password }
      {{- end }}
{{- end }}
{{- with .root.Values.kafka.caSecret }}
{{- if .name }}
- name: kafka-ca
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items:
      - { key: {{ .key }}, path: {{ .key }} }
{{- end }}
{{- end }}
{{- range .spec.secrets }}
- name: secret-{{ .name }}
  secret:
    secretName: {{ .secretName }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/* Takes root and spec. */}}
{{- define "payrouter.databaseMounts" -}}
{{- if .spec.databases }}
{{- range $name := fromJsonArray (include "payrouter.consumers" .root) }}
- { name: database-{{ replace "_" "-" $name }}, mountPath: /run/secrets/database-{{ replace "_" "-" $name }}, readOnly: true }
{{- end }}
{{- else }}
- { name: database, mountPath: /run/secrets/database, readOnly: true }
{{- end }}
{{- end -}}

{{/* Takes root and spec. */}}
{{- define "payrouter.databaseVolumes" -}}
{{- $spec := .spec -}}
{{- if $spec.databases }}
{{- range $name := fromJsonArray (include "payrouter.consumers" .root) }}
{{- include "payrouter.databaseVolume" (dict "name" (printf "database-%s" (replace "_" "-" $name)) "database" (get $spec.databases $name)) }}
{{- end }}
{{- else }}
{{- include "payrouter.databaseVolume" (dict "name" "database" "database" (ternary $spec.database .root.Values.database (not (empty $spec.database)))) }}
{{- end }}
{{- end -}}

{{/* Takes name and database. */}}
{{- define "payrouter.databaseVolume" }}
- name: {{ .name }}
  secret:
    secretName: {{ required "database.secretName: the Secret with the URL of the database" .database.secretName }}
    defaultMode: 0440
    items:
      - { key: {{ default "url" .database.key }}, path: url }
{{- end -}}

{{/* Refuses a payrouter.toml that contains a secret: it would be in a ConfigMap.
     Takes text and key. */}}
{{- define "payrouter.withoutSecrets" -}}
{{- $plain := regexReplaceAll "(?m)#.*$" .text "" -}}
{{- if regexMatch "(?m)(^|[\\s{,.\"'])(secrets|token|url|owner_url|reader_url|sasl_password|ssl_key_password|password_hash|session_secret|client_secret)[\"']?\\s*=" $plain -}}
{{- fail (printf "%s: contains a secret, which would be readable in a ConfigMap; use secret_files, url_file or sasl_password_file with a Secret under `secrets`, or put the whole file into a Secret and name it in configSecret" .key) -}}
{{- end -}}
{{- .text -}}
{{- end -}}

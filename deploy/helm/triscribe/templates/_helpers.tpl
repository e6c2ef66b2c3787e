{{- define "triscribe.name" -}}
{{- if contains "triscribe" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-triscribe" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* (dict "root" $ "part" "triton"): labels that select the pods of one part */ -}}
{{- define "triscribe.selector" -}}
app.kubernetes.io/name: triscribe
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "triscribe.labels" -}}
{{ include "triscribe.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "triscribe.image" -}}
{{- printf "%s/%s:%s" .root.Values.images.registry .image (.root.Values.images.tag | default .root.Chart.AppVersion) }}
{{- end }}

{{- /* The secret with tls.crt, tls.key and ca.crt of a part */ -}}
{{- define "triscribe.tlsSecret" -}}
{{- if eq .root.Values.tls.mode "secrets" }}{{ required (printf "tls.secrets.%s is needed with tls.mode secrets" .part) (index .root.Values.tls.secrets .part) }}{{ else }}{{ include "triscribe.name" .root }}-{{ .part }}-tls{{ end }}
{{- end }}

{{- /* Everything of a pod's spec that does not depend on the part */ -}}
{{- define "triscribe.pod" -}}
{{- $part := index .root.Values .part -}}
{{- $card := $part.gpu | default dict -}}
{{- $gpu := $card.enabled | default false -}}
serviceAccountName: {{ include "triscribe.name" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- if and $gpu $card.runtimeClassName }}
runtimeClassName: {{ $card.runtimeClassName }}
{{- end }}
{{- with merge (dict) $part.nodeSelector (ternary ($card.nodeSelector | default dict) dict $gpu) }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with concat $part.tolerations (ternary ($card.tolerations | default list) list $gpu) }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "triscribe.selector" $ | nindent 8 }}
{{- end }}
{{- end }}

{{- define "triscribe.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "triscribe.resources" -}}
{{- $part := index .root.Values .part -}}
{{- $resources := deepCopy $part.resources -}}
{{- if $part.gpu.enabled -}}
{{- $_ := set $resources "limits" (merge (dict $part.gpu.resource $part.gpu.count) ($resources.limits | default dict)) -}}
{{- end -}}
{{ toYaml $resources }}
{{- end }}

{{- /* CPUS: the container's own limit, since a process sees all cores of its node */ -}}
{{- define "triscribe.cpus" -}}
- name: CPUS
  valueFrom:
    resourceFieldRef: {resource: limits.cpu}
{{- end }}

package podplan_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
	"github.com/herald-network/herald/test/lab/proc"
)

// parse reads a pod from a manifest.
func parse(t *testing.T, manifest string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(manifest), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func facts() podplan.Facts {
	return podplan.Facts{
		NodeName:  "node-1",
		HostIPs:   []netip.Addr{netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("fd00:1::11")},
		PodIPs:    []netip.Addr{netip.MustParseAddr("10.48.1.2"), netip.MustParseAddr("fd00:48:0:1::2")},
		APIServer: netip.MustParseAddrPort("10.49.0.1:443"),
	}
}

func dirs() podplan.Dirs {
	return podplan.Dirs{Pod: "/lab/pod", NodeRoot: "/lab/node-1", Binaries: "/lab/bin", Self: "/lab/lab"}
}

func objects() podplan.Objects {
	return podplan.Objects{
		Secrets:    map[string]podplan.Data{"tor": {"password": []byte("s3cret"), "user": []byte("herald")}},
		ConfigMaps: map[string]podplan.Data{"settings": {"level": []byte("debug")}},
		Tokens:     map[podplan.Token]string{{ExpirationSeconds: 3607}: "api-token", {Audience: "vault", ExpirationSeconds: 600}: "vault-token"},
	}
}

func plan(t *testing.T, manifest string) podplan.Container {
	t.Helper()
	pod := parse(t, manifest)
	p, err := podplan.Plan(pod, &pod.Spec.Containers[0], facts(), dirs(), objects())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReferencesToVariablesAreExpanded(t *testing.T) {
	known := map[string]string{"NAME": "herald", "EMPTY": ""}
	for in, want := range map[string]string{
		"plain":              "plain",
		"$(NAME)":            "herald",
		"a-$(NAME)-$(NAME)b": "a-herald-heraldb",
		"[$(EMPTY)]":         "[]",
		"$(UNKNOWN)":         "$(UNKNOWN)",
		"$$(NAME)":           "$(NAME)",
		"$$$(NAME)":          "$herald",
		"$NAME $":            "$NAME $",
		"$(NAME":             "$(NAME",
		"$($(NAME))":         "$($(NAME))",
	} {
		if got := podplan.Expand(in, known); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestEnvironmentComesFromAllItsSources(t *testing.T) {
	got := plan(t, `
metadata: {name: web, namespace: shop, uid: u-1, labels: {app: web}, annotations: {note: hello}}
spec:
  serviceAccountName: shopper
  containers:
  - name: web
    image: lab/echo
    resources: {limits: {memory: 64Mi, cpu: 1500m}}
    envFrom:
    - {prefix: C_, configMapRef: {name: settings}}
    - {secretRef: {name: absent, optional: true}}
    env:
    - {name: PLAIN, value: "1"}
    - {name: LATER, value: "$(PLAIN)-$(AFTER)-$(KUBERNETES_SERVICE_HOST)"}
    - {name: AFTER, value: "2"}
    - {name: PLAIN, value: "3"}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
    - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
    - {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
    - {name: HOST_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
    - {name: HOST_IPS, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}
    - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: POD_IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
    - {name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
    - {name: MEBIBYTES, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
    - {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: tor, key: password}}}
    - {name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}
    - {name: NONE, valueFrom: {configMapKeyRef: {name: settings, key: absent, optional: true}}}
`).Env
	want := []string{
		"ACCOUNT=shopper", "AFTER=2", "APP=web", "CPUS=2", "C_level=debug", "GOMEMLIMIT=67108864", "HOME=/root", "HOSTNAME=web",
		"HOST_IP=192.168.1.11", "HOST_IPS=192.168.1.11,fd00:1::11",
		"KUBERNETES_SERVICE_HOST=10.49.0.1", "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_PORT_HTTPS=443",
		"LATER=1-$(AFTER)-10.49.0.1", "LEVEL=debug", "MEBIBYTES=64", "NAMESPACE=shop", "NODE=node-1", "NOTE=hello", "PASSWORD=s3cret",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PLAIN=3", "POD=web",
		"POD_IP=10.48.1.2", "POD_IPS=10.48.1.2,fd00:48:0:1::2", "UID=u-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestCommandReplacesTheImagesAndArgsItsSecondPart(t *testing.T) {
	for name, tc := range map[string]struct {
		fields string
		want   []string
	}{
		"neither":  {``, []string{"/echo", "echo", "--port=8080", "--node=node-1"}},
		"args":     {`args: ["$(FLAG)"]`, []string{"/echo", "echo", "--x"}},
		"command":  {`command: [/bin/x, "$(FLAG)"]`, []string{"/bin/x", "--x"}},
		"both":     {"command: [/bin/x]\n    args: [a, b]", []string{"/bin/x", "a", "b"}},
		"verbatim": {`args: ["$$(FLAG)"]`, []string{"/echo", "echo", "$(FLAG)"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := plan(t, `
spec:
  containers:
  - name: web
    image: lab/echo
    ports: [{containerPort: 8080}]
    env: [{name: FLAG, value: --x}]
    `+tc.fields).Args
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("command line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImagesAreFoundByTheirRepository(t *testing.T) {
	for image, program := range map[string]string{
		"nginx": "nginx", "nginx:1.27": "nginx", "library/nginx": "nginx", "docker.io/library/nginx@sha256:abc": "nginx",
		"lab/echo": "/echo", "lab/echo:latest": "/echo",
		"herald": "/manager", "ghcr.io/herald-network/herald:v0.1.0": "/manager", "localhost:5000/herald": "/manager",
		"busybox": "", "someone/nginx": "", "herald/other": "", "localhost:5000": "",
	} {
		pod := parse(t, `{spec: {containers: [{name: c, image: "`+image+`"}]}}`)
		p, err := podplan.Plan(pod, &pod.Spec.Containers[0], facts(), dirs(), objects())
		unknown, isUnknown := errors.AsType[podplan.UnknownImageError](err)
		switch {
		case program == "" && (!isUnknown || unknown.Image != image):
			t.Errorf("image %s: got %v, want an UnknownImageError", image, err)
		case program != "" && err != nil:
			t.Errorf("image %s: %v", image, err)
		case program != "" && p.Args[0] != program:
			t.Errorf("image %s runs %s, want %s", image, p.Args[0], program)
		}
	}
}

func TestAVersionThatWasLoadedRunsItsOwnPrograms(t *testing.T) {
	d := dirs()
	d.Loaded = map[string]string{"v0.2.0": "/lab/images/v0.2.0"}
	for image, directory := range map[string]string{
		"ghcr.io/herald-network/herald:v0.2.0":            "/lab/images/v0.2.0",
		"ghcr.io/herald-network/herald:v0.2.0@sha256:abc": "/lab/images/v0.2.0",
		"ghcr.io/herald-network/herald:v0.1.0":            "/lab/bin",
		"localhost:5000/herald":                           "/lab/bin",
	} {
		pod := parse(t, `{spec: {containers: [{name: c, image: "`+image+`"}]}}`)
		p, err := podplan.Plan(pod, &pod.Spec.Containers[0], facts(), d, objects())
		if err != nil {
			t.Fatal(err)
		}
		if got := p.View.Mounts[slices.IndexFunc(p.View.Mounts, func(m proc.Mount) bool { return m.Target == "/agent" })].Source; got != directory+"/agent" {
			t.Errorf("image %s runs %s, want that in %s", image, got, directory)
		}
	}
}

func TestNginxServesTheDeclaredPortInEveryFamilyAndLogsToThePodsLog(t *testing.T) {
	p := plan(t, `{spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 8080}]}]}}`)
	config := string(p.Files[0].Data)
	for _, want := range []string{"listen 0.0.0.0:8080;", "listen [::]:8080;", "access_log /dev/stdout;", "root /usr/share/nginx/html;"} {
		if !strings.Contains(config, want) {
			t.Errorf("%q is missing in:\n%s", want, config)
		}
	}
	if p.StopSignal != syscall.SIGQUIT {
		t.Errorf("stops with %s", p.StopSignal)
	}
}

func TestVolumesAreMountedWhereTheContainerWantsThem(t *testing.T) {
	got := plan(t, `
spec:
  containers:
  - name: web
    image: herald
    env: [{name: SUB, value: b}]
    volumeMounts:
    - {name: config, mountPath: /etc/herald/deep/}
    - {name: state, mountPath: /run/herald}
    - {name: scratch, mountPath: /etc/herald, readOnly: true}
    - {name: scratch, mountPath: /one, subPath: a/b}
    - {name: scratch, mountPath: /two, subPathExpr: a/$(SUB)}
  volumes:
  - {name: config, configMap: {name: settings}}
  - {name: state, hostPath: {path: /run/herald}}
  - {name: scratch, emptyDir: {}}
`).View.Mounts
	want := []proc.Mount{
		{Source: "/lab/bin/manager", Target: "/manager", ReadOnly: true},
		{Source: "/lab/bin/agent", Target: "/agent", ReadOnly: true},
		{Source: "/lab/pod/files/web/etc/hosts", Target: "/etc/hosts", ReadOnly: true},
		{Source: "/lab/pod/volumes/scratch/a/b", Target: "/one"},
		{Source: "/lab/pod/volumes/scratch/a/b", Target: "/two"},
		{Source: "/lab/node-1/run/herald", Target: "/run/herald"},
		{Source: "/lab/pod/volumes/scratch", Target: "/etc/herald", ReadOnly: true},
		{Source: "/lab/pod/volumes/config", Target: "/etc/herald/deep", ReadOnly: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestHostNetworkPodHasTheNodesName(t *testing.T) {
	for spec, want := range map[string]string{
		`{}`: "web", `{hostname: other}`: "other", `{hostNetwork: true}`: "node-1",
	} {
		pod := parse(t, `{metadata: {name: web}, spec: `+spec+`}`)
		if got := podplan.Hostname(pod, facts()); got != want {
			t.Errorf("spec %s: host name is %s, want %s", spec, got, want)
		}
	}
}

func TestWhatIsMissingOrUnknownIsAnErrorThatNamesIt(t *testing.T) {
	for fields, want := range map[string]string{
		`env: [{name: P, valueFrom: {secretKeyRef: {name: absent, key: k}}}]`:               `env P: Secret "absent" not found`,
		`env: [{name: P, valueFrom: {secretKeyRef: {name: tor, key: k}}}]`:                  `env P: Secret "tor" has no key "k"`,
		`env: [{name: P, valueFrom: {configMapKeyRef: {name: absent, key: k}}}]`:            `ConfigMap "absent" not found`,
		`envFrom: [{configMapRef: {name: absent}}]`:                                         `ConfigMap "absent" not found`,
		`env: [{name: P, valueFrom: {fieldRef: {fieldPath: spec.nope}}}]`:                   `no field "spec.nope"`,
		`env: [{name: P, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]`:           `"limits.cpu"`,
		`volumeMounts: [{name: absent, mountPath: /x}]`:                                     `volume "absent"`,
		`volumeMounts: [{name: scratch, mountPath: /x, subPath: ../y}]`:                     `subPath "../y" leads out`,
		`env: [{name: P, valueFrom: {fileKeyRef: {path: p, key: k, volumeName: scratch}}}]`: `valueFrom`,
	} {
		pod := parse(t, "spec:\n  volumes: [{name: scratch, emptyDir: {}}]\n  containers:\n  - name: c\n    image: nginx\n    "+fields)
		_, err := podplan.Plan(pod, &pod.Spec.Containers[0], facts(), dirs(), objects())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", fields, err, want)
		}
	}
}

func TestReferencesAreAllThatThePodNames(t *testing.T) {
	refs := podplan.ReferencesOf(parse(t, `
spec:
  initContainers:
  - {name: i, envFrom: [{secretRef: {name: d}}]}
  containers:
  - name: c
    env:
    - {name: A, valueFrom: {secretKeyRef: {name: b, key: k}}}
    - {name: B, valueFrom: {configMapKeyRef: {name: w, key: k}}}
    envFrom: [{configMapRef: {name: x}}]
  volumes:
  - {name: v1, secret: {secretName: a}}
  - {name: v2, configMap: {name: x}}
  - name: v3
    projected:
      sources:
      - {secret: {name: c}}
      - {configMap: {name: z}}
      - {serviceAccountToken: {path: token, expirationSeconds: 3607}}
      - {serviceAccountToken: {path: again, expirationSeconds: 3607}}
      - {serviceAccountToken: {path: default}}
`))
	want := podplan.References{
		Secrets: []string{"a", "b", "c", "d"}, ConfigMaps: []string{"w", "x", "z"},
		Tokens: []podplan.Token{{ExpirationSeconds: 3607}, {ExpirationSeconds: 3600}},
	}
	if diff := cmp.Diff(want, refs); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

func TestIgnoredFieldsAreNamedAndOthersAreNot(t *testing.T) {
	silent := `
spec:
  serviceAccountName: x
  dnsPolicy: ClusterFirst
  enableServiceLinks: true
  priority: 0
  tolerations: [{operator: Exists}]
  securityContext: {runAsUser: 1}
  terminationGracePeriodSeconds: 30
  volumes: [{name: v, emptyDir: {medium: Memory}}]
  containers:
  - name: c
    image: nginx
    imagePullPolicy: Always
    terminationMessagePath: /dev/termination-log
    terminationMessagePolicy: File
    resources: {limits: {cpu: 1}}
    ports: [{containerPort: 80, protocol: TCP}]
    securityContext: {capabilities: {drop: [ALL]}}
    readinessProbe: {httpGet: {path: /, port: 80, scheme: HTTP}, periodSeconds: 1}
    lifecycle: {preStop: {sleep: {seconds: 1}}}
    volumeMounts: [{name: v, mountPath: /v, subPath: s}]
`
	for name, tc := range map[string]struct {
		manifest string
		want     []string
	}{
		"an ordinary pod": {silent, nil},
		"a host port that the API server set": {
			`{spec: {hostNetwork: true, containers: [{name: c, ports: [{containerPort: 1, hostPort: 1}]}]}}`, nil,
		},
		"what would matter": {
			`
spec:
  hostPID: true
  dnsConfig: {nameservers: [1.1.1.1]}
  containers:
  - {name: a, tty: true, ports: [{containerPort: 1, hostPort: 1}], livenessProbe: {grpc: {port: 1}, periodSeconds: 1}}
  - {name: b, tty: true, volumeMounts: [{name: v, mountPath: /v, mountPropagation: Bidirectional}], lifecycle: {postStart: {sleep: {seconds: 1}}}}
`,
			[]string{
				"spec.containers[].lifecycle.postStart", "spec.containers[].livenessProbe.grpc", "spec.containers[].ports[].hostPort",
				"spec.containers[].tty", "spec.containers[].volumeMounts[].mountPropagation", "spec.dnsConfig", "spec.hostPID",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := podplan.Ignored(parse(t, tc.manifest))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("(-want +got):\n%s", cmp.Diff(tc.want, got))
			}
		})
	}
}

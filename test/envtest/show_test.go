package envtest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
)

// testSamples applies every sample, from an empty cluster and again.
func (s *suite) testSamples(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join(s.Root, "config", "samples", "*.yaml"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	s.clean(t)
	for _, sample := range samples {
		t.Run(filepath.Base(sample), func(t *testing.T) {
			s.MustKubectl(t, "", "apply", "--validate=strict", "-f", sample)
			s.MustKubectl(t, "", "apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", sample)
		})
	}
	directory := filepath.Join(s.Root, "config", "samples")
	s.MustKubectl(t, "", "apply", "--validate=strict", "-f", directory)
	s.MustKubectl(t, "", "apply", "--validate=strict", "-k", directory)
	s.clean(t)
}

// statusManifest is one object of each kind with the status that the design shows.
const statusManifest = `
- kind: BGPConfiguration
  metadata: {name: default}
  spec: {asNumber: 64512, serviceClusterIPs: [{cidr: 10.49.0.0/16}]}
  status:
    observedGeneration: 3
    conditions:
    - {type: Accepted, status: "True", reason: Valid, message: "", observedGeneration: 3, lastTransitionTime: "2026-11-23T12:00:00Z"}
    nodes: {desired: 3, reporting: 3}
    routes: {ipv4: 12, ipv6: 0}
    advertisements:
    - {prefix: 10.49.0.0/16, kind: ClusterIP, nodes: 3}
    truncated: true
- kind: BGPPeer
  metadata: {name: tor}
  spec: {peerIP: 192.168.1.1, asNumber: 64512, localASNumber: 64700, nodeSelector: {matchLabels: {rack: a}}}
  status:
    observedGeneration: 1
    conditions:
    - {type: Established, status: "True", reason: AllEstablished, message: "", observedGeneration: 1, lastTransitionTime: "2026-11-23T12:00:00Z"}
    nodes: {desired: 3, established: 3, ready: 3/3}
    sessions:
    - {node: node-1, state: Established, since: "2026-11-23T12:00:00Z", localAddress: 192.168.1.11, advertised: 4, received: 0, flaps: 0, lastError: ""}
- kind: ExternalIPPool
  metadata: {name: external}
  spec: {addresses: [192.168.3.0/24, 192.168.4.0/24, "2001:db8:3::/64"], priority: 7}
  status:
    observedGeneration: 1
    conditions:
    - {type: Allowlisted, status: "False", reason: OutsideBlocks, message: "", observedGeneration: 1, lastTransitionTime: "2026-11-23T12:00:00Z"}
    ipv4: {total: "512", assigned: "3", available: "509"}
    ipv6: {total: "18446744073709551616", assigned: "0", available: "18446744073709551616"}
    summary: {addresses: 192.168.3.0/24 +2, assigned: 3/0, available: 509/18446744073709551616}
- kind: BGPNode
  metadata: {name: node-1}
  status:
    asNumber: 64512
    routerID: 192.168.1.11
    agentVersion: v0.1.0
    conditions:
    - {type: Ready, status: "True", reason: AllEstablished, message: "", observedGeneration: 1, lastTransitionTime: "2026-11-23T12:00:00Z"}
    sessions:
    - {peer: tor, peerUID: 6d2f1f0e-6f0c-4b5c-8f0e-0d0f0c0b0a09, peerGeneration: 1, state: Established, since: "2026-11-23T12:00:00Z", localAddress: 192.168.1.11,
       advertised: 4, received: 0, flaps: 0, lastError: "", holdTimeSeconds: 0, addressFamilies: [IPv4], gracefulRestart: Enabled}
    routes: {ipv4: 4, ipv6: 0}
    advertisements:
    - {prefix: 192.168.3.180/32, kind: ExternalIP, services: [default/nginx]}
`

// statusObjects returns the objects of statusManifest.
func statusObjects(t *testing.T) []client.Object {
	t.Helper()
	var manifests []map[string]any
	if err := yaml.Unmarshal([]byte(statusManifest), &manifests); err != nil {
		t.Fatal(err)
	}
	var objects []client.Object
	for _, manifest := range manifests {
		object := map[string]client.Object{
			"BGPConfiguration": &v1alpha1.BGPConfiguration{}, "BGPPeer": &v1alpha1.BGPPeer{},
			"ExternalIPPool": &v1alpha1.ExternalIPPool{}, "BGPNode": &v1alpha1.BGPNode{},
		}[manifest["kind"].(string)]
		text, err := yaml.Marshal(manifest)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

// makeStatusObjects creates the objects of statusManifest with their status.
func (s *suite) makeStatusObjects(t *testing.T) {
	t.Helper()
	s.clean(t)
	for _, object := range statusObjects(t) {
		wanted := object.DeepCopyObject().(client.Object)
		if err := s.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		wanted.SetResourceVersion(object.GetResourceVersion())
		if err := s.client.Status().Update(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
	}
}

// testStatus checks that a status is a subresource of its own, and comes back as it was written.
func (s *suite) testStatus(t *testing.T) {
	s.makeStatusObjects(t)
	for _, wanted := range statusObjects(t) {
		got := wanted.DeepCopyObject().(client.Object)
		s.get(t, wanted.GetName(), got)
		if diff := cmp.Diff(statusOf(t, wanted), statusOf(t, got)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", wanted, diff)
		}
		created := wanted.DeepCopyObject().(client.Object)
		created.SetName("another")
		err := s.client.Create(t.Context(), created)
		if _, isConfiguration := wanted.(*v1alpha1.BGPConfiguration); isConfiguration {
			continue // The other one would have to be an overlay.
		}
		if err != nil {
			t.Fatal(err)
		}
		if status := statusOf(t, created); status != nil {
			t.Errorf("%T: create took a status over: %v", wanted, status)
		}
	}
	s.clean(t)
}

// statusOf returns the status of an object as it is written.
func statusOf(t *testing.T, object client.Object) any {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return fields["status"]
}

// testColumns holds what kubectl get prints, but for the age.
func (s *suite) testColumns(t *testing.T) {
	s.makeStatusObjects(t)
	const gap = "   "
	for name, row := range map[string]struct {
		args []string
		want []string
	}{
		"peers": {[]string{"get", "bgpp"}, []string{
			"NAME|PEER IP|AS|SESSIONS|ESTABLISHED|AGE", "tor|192.168.1.1|64512|3/3|True|AGE",
		}},
		"peers, wide": {[]string{"get", "bgppeers", "-o", "wide"}, []string{
			"NAME|PEER IP|AS|SESSIONS|ESTABLISHED|AGE|LOCAL AS|NODE SELECTOR|REASON",
			`tor|192.168.1.1|64512|3/3|True|AGE|64700|{"matchLabels":{"rack":"a"}}|AllEstablished`,
		}},
		"pools": {[]string{"get", "eippool"}, []string{
			"NAME|ADDRESSES|ASSIGNED|AVAILABLE|ALLOWLISTED|AGE", "external|192.168.3.0/24 +2|3/0|509/18446744073709551616|False|AGE",
		}},
		"pools, wide": {[]string{"get", "externalippools", "-o", "wide"}, []string{
			"NAME|ADDRESSES|ASSIGNED|AVAILABLE|ALLOWLISTED|AGE|ASSIGNMENT|PRIORITY",
			"external|192.168.3.0/24 +2|3/0|509/18446744073709551616|False|AGE||7",
		}},
		"configurations": {[]string{"get", "bgpconfig"}, []string{
			"NAME|AS|NODES|IPV4 ROUTES|IPV6 ROUTES|ACCEPTED|AGE", "default|64512|3|12|0|True|AGE",
		}},
		"nodes": {[]string{"get", "bgpn"}, []string{
			"NAME|AS|ROUTER ID|IPV4 ROUTES|IPV6 ROUTES|READY|REASON|AGE", "node-1|64512|192.168.1.11|4|0|True|AllEstablished|AGE",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(strings.TrimSpace(s.MustKubectl(t, "", row.args...)), "\n")
			got := []string{strings.Join(columns(lines[0], lines[0], gap), "|")}
			for _, line := range lines[1:] {
				cells := columns(lines[0], line, gap)
				cells[strings.Count(got[0][:strings.Index(got[0], "AGE")], "|")] = "AGE"
				got = append(got, strings.Join(cells, "|"))
			}
			expect(t, got, row.want)
		})
	}
	t.Run("category", func(t *testing.T) {
		expect(t, strings.Fields(s.MustKubectl(t, "", "get", "herald", "-o", "name")), []string{
			"bgpconfiguration.herald.network/default", "bgpnode.herald.network/node-1",
			"bgppeer.herald.network/tor", "externalippool.herald.network/external",
		})
	})
	s.clean(t)
}

// columns cuts a line of a table where its header has columns.
func columns(header, line, gap string) []string {
	var cells []string
	start := 0
	for start < len(header) {
		end := strings.Index(header[start:], gap)
		if end < 0 {
			return append(cells, cell(line, start, len(line)))
		}
		next := start + end + len(header[start+end:]) - len(strings.TrimLeft(header[start+end:], " "))
		cells = append(cells, cell(line, start, next))
		start = next
	}
	return cells
}

func cell(line string, start, end int) string {
	if start >= len(line) {
		return ""
	}
	return strings.TrimSpace(line[start:min(end, len(line))])
}

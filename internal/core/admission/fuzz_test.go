package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/admission"
	"github.com/herald-network/herald/internal/core/cluster"
)

// Whatever an object becomes, there is an answer, always the same one, and one that lets the object stay as it is.
func FuzzVerdict(f *testing.F) {
	for _, specs := range [][2]string{
		{`{"peerIP":"192.168.1.1","asNumber":64512}`, `{"peerIP":"192.168.1.11","asNumber":64512,"nodeSelector":{"matchLabels":{"rack":"b"}}}`},
		{`{"serviceClusterIPs":[{"cidr":"10.0.0.0/8"}]}`, `{"serviceExternalIPs":[{"cidr":"::/0"}],"communities":[{"name":"a","value":"1:2"}]}`},
		{`{"addresses":["10.0.0.1-10.0.0.9"]}`, `{"addresses":["10.0.0.0/8","::/0"],"avoid":["10.0.0.2"]}`},
		{"peerIP: 192.168.3.1\nasNumber: 64512\nserviceExternalIPs: [{cidr: 192.168.3.0/24}]", "asNumber: 64999\nebgpMultihopTTL: 1"},
	} {
		f.Add([]byte(specs[0]), []byte(specs[1]))
	}
	f.Fuzz(func(t *testing.T, before, after []byte) {
		state := clustertest.Rack()
		for _, add := range []stateChange{
			withPeer("tor", 1, "{peerIP: 192.168.1.1, asNumber: 64512}"), withPool("one", 1, "{addresses: [192.168.3.0/25]}"),
			withConfiguration("rack-a", 1, "{nodeSelector: {matchLabels: {rack: a}}, asNumber: 64999, serviceExternalIPs: [{cidr: 192.168.3.0/25}]}"),
		} {
			state = add(t, state)
		}
		hold(t, before, after, func(o *v1alpha1.BGPPeer, spec []byte) error {
			o.Name = "new"
			return yaml.Unmarshal(spec, &o.Spec)
		}, state, admission.Peer)
		hold(t, before, after, func(o *v1alpha1.BGPConfiguration, spec []byte) error {
			o.Name = "default"
			return yaml.Unmarshal(spec, &o.Spec)
		}, state, admission.Configuration)
		hold(t, before, after, func(o *v1alpha1.ExternalIPPool, spec []byte) error {
			o.Name = "new"
			return yaml.Unmarshal(spec, &o.Spec)
		}, state, admission.Pool)
	})
}

// hold holds the verdicts of every request with two versions of an object to what is said of all verdicts.
func hold[T any](
	t *testing.T, before, after []byte, read func(*T, []byte) error, state cluster.State,
	judge func(old, wanted *T, before cluster.State) admission.Verdict,
) {
	t.Helper()
	old, wanted := new(T), new(T)
	if read(old, before) != nil || read(wanted, after) != nil {
		return
	}
	for what, versions := range map[string][2]*T{"create": {nil, wanted}, "update": {old, wanted}, "delete": {old, nil}, "keep": {old, old}} {
		got := judge(versions[0], versions[1], state)
		if diff := cmp.Diff(got, judge(versions[0], versions[1], state)); diff != "" {
			t.Errorf("%s: one answer and another:\n%s", what, diff)
		}
		if len(got.Errors) > 0 && versions[1] != wanted {
			t.Errorf("%s: refused with %v", what, got.Errors)
		}
		if len(got.Warnings) > admission.MaxWarnings+1 {
			t.Errorf("%s: %d warnings", what, len(got.Warnings))
		}
	}
}

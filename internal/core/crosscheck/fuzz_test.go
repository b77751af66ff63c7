package crosscheck_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/clustertest"
	"github.com/herald-network/herald/internal/core/cluster"
)

// Whatever objects live together, a check answers, and always the same.
func FuzzCheck(f *testing.F) {
	for _, specs := range [][2]string{
		{`{"peerIP":"192.168.1.1","asNumber":64512,"nodeSelector":{"matchExpressions":[{"key":"rack","operator":"In","values":["b"]}]}}`, `{"peerIP":"192.168.1.1","asNumber":64512}`},
		{`{"serviceClusterIPs":[{"cidr":"10.0.0.0/8"}],"routerID":"10.0.0.1","nodeSelector":{}}`, `{"serviceExternalIPs":[{"cidr":"::/0"}],"nodeSelector":{"matchLabels":{"rack":"a"}}}`},
		{`{"addresses":["10.0.0.1-10.0.0.9","10.0.0.0/8"],"avoid":["::1"]}`, `{"addresses":["10.0.0.0/8","::/0"],"avoid":["10.0.0.2"]}`},
		{"prefixAdvertisements: [{cidr: 1.1.1.0/24, communities: [a], asPathPrepend: 1}]\nasNumber: 1", "communities: []\nnodeSelector: {}\nasNumber: 1\npeerIP: '::1'\npassword: {secretKeyRef: {name: tor}}"},
	} {
		f.Add([]byte(specs[0]), []byte(specs[1]))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		state := clustertest.Rack()
		for name, spec := range map[string][]byte{"default": first, "other": second} {
			state = withEachKind(state, name, spec)
		}
		if diff := cmp.Diff(everything(state), everything(state)); diff != "" {
			t.Errorf("one answer and another:\n%s", diff)
		}
	})
}

// withEachKind returns the state with an object of each kind, made of what of the spec it can read.
func withEachKind(state cluster.State, name string, spec []byte) cluster.State {
	var peer v1alpha1.BGPPeer
	var configuration v1alpha1.BGPConfiguration
	var pool v1alpha1.ExternalIPPool
	peer.Name, configuration.Name, pool.Name = name, name, name
	if yaml.Unmarshal(spec, &peer.Spec) == nil {
		state = state.WithPeer(&peer)
	}
	if yaml.Unmarshal(spec, &configuration.Spec) == nil {
		state = state.WithConfiguration(&configuration)
	}
	if yaml.Unmarshal(spec, &pool.Spec) == nil {
		state = state.WithPool(&pool)
	}
	return state
}

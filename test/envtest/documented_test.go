package envtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/plan"
)

// descriptions returns what the schema of a kind says of each field, each in one line.
func descriptions(t *testing.T, kind string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	walk("", schemas(t)[kind], func(path string, schema apiextensions.JSONSchemaProps) {
		texts[path] = strings.Join(strings.Fields(schema.Description), " ")
	})
	return texts
}

// testDocuments has the API server judge every manifest in the documentation, without keeping it.
func (s *suite) testDocuments(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(s.Root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)\n```")
	s.MustKubectl(t, "", "apply", "-f", filepath.Join(s.Root, "config", "namespace", "namespace.yaml")) // Herald is installed.
	manifests := 0
	for _, path := range append(documents, filepath.Join(s.Root, "README.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllSubmatch(text, -1) {
			manifests++
			if out, err := s.Kubectl(t, string(found[1]), "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err != nil {
				t.Errorf("%s: %v\n%s\n%s", filepath.Base(path), err, out, found[1])
			}
		}
	}
	if manifests == 0 {
		t.Error("no manifest was found")
	}
}

// TestDocumentedDefaults holds the defaults in the comments to those that the core applies.
func TestDocumentedDefaults(t *testing.T) {
	peer, configuration := descriptions(t, "BGPPeer"), descriptions(t, "BGPConfiguration")
	for field, row := range map[string]struct {
		description string
		value       any
	}{
		"asNumber":                {configuration["spec.asNumber"], intent.DefaultASN},
		"peerPort":                {peer["spec.peerPort"], intent.DefaultPeerPort},
		"listenPort":              {configuration["spec.listenPort"], intent.DefaultListenPort},
		"holdTimeSeconds":         {peer["spec.holdTimeSeconds"], intent.DefaultHoldTime.Seconds()},
		"connectRetryTimeSeconds": {peer["spec.connectRetryTimeSeconds"], intent.DefaultConnectRetryTime.Seconds()},
		"maxReceivedPrefixes":     {peer["spec.maxReceivedPrefixes"], intent.DefaultMaxReceivedPrefixes},
		"restartTimeSeconds":      {configuration["spec.gracefulRestart.restartTimeSeconds"], intent.DefaultRestartTime.Seconds()},
	} {
		if want := fmt.Sprintf("Defaults to %v.", row.value); !strings.Contains(row.description, want) {
			t.Errorf("%s: the core says %q, the comment says %q", field, want, row.description)
		}
	}
}

// TestDocumentedImpacts holds what the comments say that a change does to a session to what the core does.
func TestDocumentedImpacts(t *testing.T) {
	sources := map[string][]string{
		"Address":             {"peerIP", "peerPort", "interface"},
		"ASN":                 {"asNumber"},
		"LocalASN":            {"localASNumber"},
		"SourceAddress":       {"sourceAddress"},
		"HoldTime":            {"holdTimeSeconds"},
		"KeepaliveTime":       {"keepaliveTimeSeconds"},
		"ConnectRetryTime":    {"connectRetryTimeSeconds"},
		"Families":            {"addressFamilies"},
		"GracefulRestart":     {"gracefulRestart", "gracefulRestart.mode", "gracefulRestart.restartTimeSeconds"},
		"MaxReceivedPrefixes": {"maxReceivedPrefixes"},
		"Password":            {"password", "password.secretKeyRef", "password.secretKeyRef.name", "password.secretKeyRef.key"},
		"TTL":                 {"ebgpMultihopTTL", "ttlSecurityHops"},
		"MinimumTTL":          {"ttlSecurityHops"},
		"Passive":             {"connectionMode"},
		"Export": {
			"export", "export[].action", "export[].prefixes", "export[].prefixes[].cidr", "export[].prefixes[].ge", "export[].prefixes[].le",
			"export[].kinds", "export[].communities", "export[].set", "export[].set.communities", "export[].set.addCommunities",
			"export[].set.med", "export[].set.localPreference", "export[].set.asPathPrepend",
		},
	}
	says := map[plan.Impact]string{
		plan.None:        "Changing it does nothing to sessions",
		plan.Readvertise: "Changing it re-advertises",
		plan.SessionDrop: "Changing it resets the session",
	}
	peer := descriptions(t, "BGPPeer")
	for _, field := range plan.PeerFields() {
		for _, source := range sources[field.Name] {
			if description := peer["spec."+source]; !strings.Contains(description, says[field.Impact]) {
				t.Errorf("%s: the core says %q, the comment says %q", source, says[field.Impact], description)
			}
		}
		delete(sources, field.Name)
	}
	for name := range sources {
		t.Errorf("bgp.Peer has no field %s any more", name)
	}
}

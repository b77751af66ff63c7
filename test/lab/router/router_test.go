package router_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/router"
	"github.com/herald-network/herald/test/lab/topology"
)

var update = flag.Bool("update", false, "write the golden files")

// host returns the second of two routers.
func host(t *testing.T, ipv6 bool) topology.Host {
	t.Helper()
	rack, err := topology.New(topology.Options{Nodes: 1, Routers: 2, IPv6: ipv6})
	if err != nil {
		t.Fatal(err)
	}
	return rack.With(topology.RoleRouter)[1]
}

func TestFilesAreAsGolden(t *testing.T) {
	for _, tc := range []struct {
		kind router.Kind
		ipv6 bool
		dir  string
	}{
		{router.BIRD, false, "bird-ipv4"},
		{router.BIRD, true, "bird-dual-stack"},
		{router.FRR, false, "frr-ipv4"},
		{router.FRR, true, "frr-dual-stack"},
	} {
		t.Run(tc.dir, func(t *testing.T) {
			files, err := tc.kind.Files(host(t, tc.ipv6))
			if err != nil {
				t.Fatal(err)
			}
			for path, text := range files {
				golden := filepath.Join("testdata", tc.dir, filepath.Base(path))
				if *update {
					if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), text); diff != "" {
					t.Errorf("%s:\n%s", path, diff)
				}
			}
		})
	}
}

func TestKindsAreReadByName(t *testing.T) {
	for _, name := range []string{"bird", "frr"} {
		if kind, err := router.ParseKind(name); err != nil || string(kind) != name {
			t.Errorf("%s: got %q, %v", name, kind, err)
		}
	}
	if _, err := router.ParseKind("gated"); err == nil || err.Error() != `router "gated": there are "bird" and "frr"` {
		t.Errorf("got %v", err)
	}
}

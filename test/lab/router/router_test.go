package router_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
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
		{router.OpenBGPD, false, "openbgpd-ipv4"},
		{router.OpenBGPD, true, "openbgpd-dual-stack"},
		{router.GoBGP, false, "gobgp-ipv4"},
		{router.GoBGP, true, "gobgp-dual-stack"},
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
	for text, want := range map[string][]router.Kind{
		"frr":                     {router.FRR, router.FRR},
		"gobgp,gobgp":             {router.GoBGP, router.GoBGP},
		"openbgpd,bird":           {router.OpenBGPD, router.BIRD},
		"bird,frr,openbgpd,gobgp": router.Kinds(),
		"bird,bird,frr":           {router.BIRD, router.BIRD, router.FRR},
	} {
		routers := len(want)
		if kinds, err := router.ParseKinds(text, routers); err != nil || !slices.Equal(kinds, want) {
			t.Errorf("%s for %d routers: got %q, %v", text, routers, kinds, err)
		}
	}
	for text, want := range map[string]string{
		"gated":         `router "gated": there are ["bird" "frr" "openbgpd" "gobgp"]`,
		"bird,":         `router "": there are ["bird" "frr" "openbgpd" "gobgp"]`,
		"bird,frr,bird": `router "bird,frr,bird" names 3 kinds for 2 routers: give one for all or one for each`,
	} {
		if _, err := router.ParseKinds(text, 2); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

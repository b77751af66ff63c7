package tour

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/tour.txt anew")

func TestTourPassesOnALabThatWorks(t *testing.T) {
	out := walk(t, &fakeLab{}, nil)
	golden := filepath.Join("testdata", "tour.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out); diff != "" {
		t.Errorf("the page differs from %s (-want +got):\n%s", golden, diff)
	}
}

func TestTourStopsAtTheFirstThatDiffers(t *testing.T) {
	for name, row := range map[string]struct {
		command, output string
		status          int
		silent          int
		want            string
	}{
		"a node has no session": {
			command: objects, output: (&fakeLab{}).herald("2/3"),
			want: "bgppeer-global-64512 should say 3/3 in column SESSIONS, and says \"2/3\"",
		},
		"a node has another reason": {
			command: objects, output: strings.ReplaceAll((&fakeLab{}).herald("3/3"), "NoConfiguration", "NoPeers        "),
			want: "node-1 should say NoConfiguration in column REASON, and says \"NoPeers\"",
		},
		"nobody reports": {
			command: objects, output: "No resources found\n",
			want: "there should be 3 BGPNodes, and there are 0",
		},
		"the peer is refused": {
			command: "kubectl apply -f -", output: "error: no matches for kind \"BGPPeer\"\n", status: 1,
			want: "step 2, peer with the router: kubectl apply -f -: should succeed, and ended with exit status 1",
		},
		"something is advertised already": {
			command: "ip route", output: "10.49.0.0/16 proto bird metric 32 \n\tnexthop via 192.168.1.11 dev rack weight 1 \n",
			want: "step 1, the rack: ip route: the tour begins on a lab that has just come up: 10.49.0.0/16 should have been withdrawn, and goes to 192.168.1.11",
		},
		"the router misses a next hop": {
			silent: 3,
			want: "step 3, advertise the cluster IPs: ip route: 10.49.0.0/16 should go to 192.168.1.11, 192.168.1.12, 192.168.1.13, " +
				"and goes to 192.168.1.11, 192.168.1.12",
		},
		"nginx does not answer": {
			command: "curl -sS -m 2 '10.49.62.131/?cluster-ip'", output: "curl: (28) Connection timed out", status: 28,
			want: "step 6, reach it from outside: curl -sS -m 2 '10.49.62.131/?cluster-ip': should succeed, and ended with exit status 28",
		},
		"the cluster IP is still reachable": {
			command: "curl -sS -m 2 10.49.62.131", output: welcome,
			want: "step 10, the cluster IP is private again: curl -sS -m 2 10.49.62.131: should fail, and got an answer",
		},
		"the client's address is lost": {
			command: "kubectl logs -l app=nginx --tail=3 --prefix", output: "[pod/nginx-a/nginx] 192.168.1.12 - - \"GET /?cluster-ip HTTP/1.1\" 200\n" +
				"[pod/nginx-a/nginx] 192.168.1.12 - - \"GET /?cluster-ip-local HTTP/1.1\" 200\n[pod/nginx-a/nginx] 192.168.1.12 - - \"GET /?external-ip HTTP/1.1\" 200\n",
			want: "nginx should have seen 172.31.0.2",
		},
		"the pool counts wrongly": {
			command: pools, output: poolTable("0", "254"),
			want: "step 14, let Herald assign the address: kubectl get externalippools: public should say 1 in column ASSIGNED, and says \"0\"",
		},
		"nginx gets no address": {
			command: annotate, output: "service/nginx annotated\n",
			want: "kubectl get services: nginx should say 192.168.3.1 in column EXTERNAL-IP, and says \"<none>\"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab := &fakeLab{silent: row.silent, broken: map[string]Result{row.command: {Output: row.output, Status: row.status}}}
			out := walk(t, lab, &row.want)
			if strings.Contains(out, "complete") {
				t.Errorf("the page says that the tour is complete:\n%s", out)
			}
		})
	}
}

func TestTourShowsEveryRouter(t *testing.T) {
	lab := &fakeLab{routers: 2}
	var out bytes.Buffer
	routers := []Router{{Host: "tor", Address: netip.MustParseAddr("192.168.1.1")}, {Host: "tor-2", Address: netip.MustParseAddr("192.168.1.2")}}
	if err := Run(t.Context(), lab, routers, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"peerIP: 192.168.1.1\n", "peerIP: 192.168.1.2\n", "tor:~$ ip route\n", "tor-2:~$ ip route\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestTourNeedsThreeNodes(t *testing.T) {
	lab := &fakeLab{broken: map[string]Result{nodeTable: {Output: "NODE     ADDRESS        PODS\nnode-1   192.168.1.11   10.48.1.0/24\n"}}}
	want := "lab up --nodes 3"
	walk(t, lab, &want)
}

// walk runs the tour under a clock of its own, so that its patience costs nothing, and returns the page without times.
func walk(t *testing.T, lab *fakeLab, wantErr *string) string {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		err := Run(t.Context(), lab, []Router{{Host: "tor", Address: netip.MustParseAddr("192.168.1.1")}}, &out)
		switch {
		case wantErr == nil && err != nil:
			t.Fatalf("%v\n%s", err, out.String())
		case wantErr != nil && err == nil:
			t.Fatalf("the tour passed, want the error %q", *wantErr)
		case wantErr != nil && !strings.Contains(err.Error(), *wantErr):
			t.Fatalf("the error is\n%v\nwant\n%s", err, *wantErr)
		}
	})
	return regexp.MustCompile(`in [0-9.]+ s\.`).ReplaceAllString(out.String(), "in N s.")
}

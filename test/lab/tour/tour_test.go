package tour

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"text/tabwriter"

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
			command: objects, output: strings.ReplaceAll((&fakeLab{}).herald("3/3"), "NoConfiguration", "NoPeers"),
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

// fakeLab answers the tour's commands as a lab does that works, but for those that are broken.
type fakeLab struct {
	broken map[string]Result
	// routers is how many there are beside the first.
	routers int
	// silent is the number of a node that advertises nothing.
	silent int

	configuration string
	local         bool
	external      bool
	requests      []string
}

const (
	nodeTable = "kubectl get nodes -o 'custom-columns=NODE:.metadata.name,ADDRESS:.status.addresses[0].address,PODS:.spec.podCIDR'"
	objects   = "kubectl get bgppeers,bgpconfigurations,bgpnodes -o wide"
	welcome   = "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n<style>\nhtml { color-scheme: light dark; }\n</style>\n"
)

// herald returns what Herald reports where each peer has so many sessions.
func (l *fakeLab) herald(sessions string) string {
	ready, reason, more := "True", "AllEstablished", 0
	if l.configuration == "" {
		ready, reason = "False", "NoConfiguration"
	}
	if l.local && !strings.Contains(l.configuration, "192.168.3.0/24") || l.external {
		more = 1
	}
	routes := func(node int) int { return strings.Count(l.configuration, "- cidr") + more*min(node-1, 1) }

	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 6, 4, 3, ' ', 0)
	fmt.Fprintln(table, "NAME\tPEER IP\tAS\tSESSIONS\tESTABLISHED\tAGE")
	for i := range max(1, l.routers) {
		fmt.Fprintf(table, "bgppeer.herald.network/bgppeer-global-6451%d\t192.168.1.%d\t64512\t%s\tTrue\t9s\n", 2+i, 1+i, sessions)
	}
	if l.configuration != "" {
		fmt.Fprintln(table, "\nNAME\tAS\tNODES\tIPV4 ROUTES\tIPV6 ROUTES\tACCEPTED\tAGE")
		fmt.Fprintf(table, "bgpconfiguration.herald.network/default\t64512\t3\t%d\t0\tTrue\t9s\n", routes(2))
	}
	fmt.Fprintln(table, "\nNAME\tAS\tROUTER ID\tIPV4 ROUTES\tIPV6 ROUTES\tREADY\tAGE\tVERSION\tREASON")
	for node := 1; node <= 3; node++ {
		fmt.Fprintf(table, "bgpnode.herald.network/node-%[1]d\t64512\t192.168.1.1%[1]d\t%[2]d\t0\t%[3]s\t9s\tv0.1.0\t%[4]s\n",
			node, routes(node), ready, reason)
	}
	_ = table.Flush()
	return text.String()
}

func (l *fakeLab) Run(_ context.Context, command Command) (Result, error) {
	line := quote(command.Argv)
	if result, ok := l.broken[line]; ok {
		return result, nil
	}
	switch {
	case command.Argv[0] == "ip":
		return Result{Output: l.routes()}, nil
	case command.Argv[0] == "curl":
		return l.curl(command.Argv[len(command.Argv)-1]), nil
	case command.Input != "":
		return Result{Output: l.apply(command.Input)}, nil
	case strings.HasPrefix(line, "kubectl patch service nginx"):
		l.local = true
		l.external = strings.Contains(line, "externalIPs")
		return Result{Output: "service/nginx patched\n"}, nil
	}
	output, ok := map[string]string{
		nodeTable: "NODE     ADDRESS        PODS\nnode-1   192.168.1.11   10.48.1.0/24\nnode-2   192.168.1.12   10.48.2.0/24\n" +
			"node-3   192.168.1.13   10.48.3.0/24\n",
		objects: l.herald("3/3"),
		"kubectl rollout status deployment/nginx --timeout=30s":                                                   "deployment \"nginx\" successfully rolled out\n",
		"kubectl get pods -l app=nginx -o custom-columns=POD:.metadata.name,NODE:.spec.nodeName,IP:.status.podIP": "POD       NODE     IP\nnginx-a   node-2   10.48.2.2\nnginx-b   node-3   10.48.3.2\n",
		"kubectl expose deployment nginx":                                                                         "service/nginx exposed\n",
		"kubectl get services":                                                                                    l.services(),
		"kubectl logs -l app=nginx --tail=3 --prefix":                                                             strings.Join(l.requests, ""),
	}[line]
	if !ok {
		return Result{}, fmt.Errorf("the fake lab does not know %s", line)
	}
	return Result{Output: output}, nil
}

func (l *fakeLab) apply(manifest string) string {
	kind := regexp.MustCompile(`kind: (\w+)`).FindStringSubmatch(manifest)[1]
	switch {
	case kind != "BGPConfiguration":
		return strings.ToLower(kind) + " created\n"
	case l.configuration == "":
		l.configuration = manifest
		return "bgpconfiguration.herald.network/default created\n"
	default:
		l.configuration = manifest
		return "Warning: this change withdraws 10.49.0.0/16 and 1 other prefix from 3 nodes\nbgpconfiguration.herald.network/default configured\n"
	}
}

func (l *fakeLab) services() string {
	externalIP := "<none>       "
	if l.external {
		externalIP = "192.168.3.180"
	}
	return "Warning: spec.externalIPs is deprecated\n" +
		"NAME         TYPE        CLUSTER-IP     EXTERNAL-IP     PORT(S)   AGE\n" +
		"kubernetes   ClusterIP   10.49.0.1      <none>          443/TCP   1m\n" +
		"nginx        ClusterIP   10.49.62.131   " + externalIP + "   80/TCP    1s\n"
}

func (l *fakeLab) routes() string {
	text := "172.31.0.0/24 dev outside proto kernel scope link src 172.31.0.1 \n"
	add := func(destination string, nodes ...int) {
		text += destination + " proto bird metric 32 \n"
		for _, n := range nodes {
			if n == l.silent {
				continue
			}
			text += fmt.Sprintf("\tnexthop via 192.168.1.1%d dev rack weight 1 \n", n)
		}
	}
	if strings.Contains(l.configuration, "- cidr: 10.49.0.0/16") {
		add("10.49.0.0/16", 1, 2, 3)
		if l.local {
			add("10.49.62.131", 2, 3)
		}
	}
	if strings.Contains(l.configuration, "192.168.3.0/24") {
		add("192.168.3.0/24", 1, 2, 3)
		if l.external {
			add("192.168.3.180", 2, 3)
		}
	}
	return text
}

func (l *fakeLab) curl(url string) Result {
	address, path, _ := strings.Cut(url, "/")
	if !strings.Contains(l.routes(), "\n10.49.0.0/16") && strings.HasPrefix(address, "10.49.") {
		return Result{Output: "curl: (28) Connection timed out after 2001 milliseconds\n", Status: 28}
	}
	client := "192.168.1.12"
	if address == externalIP {
		client = outside
	}
	l.requests = append(l.requests, fmt.Sprintf("[pod/nginx-a/nginx] %s - - \"GET /%s HTTP/1.1\" 200\n", client, path))
	return Result{Output: welcome}
}

package tour

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"text/tabwriter"
)

// fakeLab answers the tour's commands as a lab does that works, but for those that are broken.
type fakeLab struct {
	broken map[string]Result
	// routers is how many there are beside the first.
	routers int
	// silent is the number of a node that advertises nothing.
	silent int

	configuration string
	local         bool
	// external is the external IP that nginx has; pool says that there is one to assign from.
	external string
	pool     bool
	requests []string
}

const (
	nodeTable = "kubectl get nodes -o 'custom-columns=NODE:.metadata.name,ADDRESS:.status.addresses[0].address,PODS:.spec.podCIDR'"
	objects   = "kubectl get bgppeers,bgpconfigurations,bgpnodes -o wide"
	annotate  = "kubectl annotate service nginx herald.network/assign-external-ip=true"
	pools     = "kubectl get externalippools"
	welcome   = "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n<style>\nhtml { color-scheme: light dark; }\n</style>\n"
)

// herald returns what Herald reports where each peer has so many sessions.
func (l *fakeLab) herald(sessions string) string {
	ready, reason, more := "True", "AllEstablished", 0
	if l.configuration == "" {
		ready, reason = "False", "NoConfiguration"
	}
	if l.local && !strings.Contains(l.configuration, "192.168.3.0/24") || l.external != "" {
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
	fmt.Fprintln(table, "\nNAME\tAS\tROUTER ID\tIPV4 ROUTES\tIPV6 ROUTES\tREADY\tREASON\tAGE\tVERSION")
	for node := 1; node <= 3; node++ {
		fmt.Fprintf(table, "bgpnode.herald.network/node-%[1]d\t64512\t192.168.1.1%[1]d\t%[2]d\t0\t%[3]s\t%[4]s\t9s\tv0.1.0\n",
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
		l.local, l.external = true, ""
		if strings.Contains(line, externalIP) {
			l.external = externalIP
		}
		return Result{Output: "service/nginx patched\n"}, nil
	case line == annotate && l.pool:
		l.external = assignedIP
		return Result{Output: "service/nginx annotated\n"}, nil
	}
	output, ok := map[string]string{
		nodeTable: "NODE     ADDRESS        PODS\nnode-1   192.168.1.11   10.48.1.0/24\nnode-2   192.168.1.12   10.48.2.0/24\n" +
			"node-3   192.168.1.13   10.48.3.0/24\n",
		objects: l.herald("3/3"),
		"kubectl rollout status deployment/nginx --timeout=30s":                                                   "deployment \"nginx\" successfully rolled out\n",
		"kubectl get pods -l app=nginx -o custom-columns=POD:.metadata.name,NODE:.spec.nodeName,IP:.status.podIP": "POD       NODE     IP\nnginx-a   node-2   10.48.2.2\nnginx-b   node-3   10.48.3.2\n",
		"kubectl expose deployment nginx":                                                                         "service/nginx exposed\n",
		pools:                                                                                                     poolTable("1", "253"),
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
	case kind == "ExternalIPPool":
		l.pool = true
		return "externalippool.herald.network/public created\n"
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

func poolTable(assigned, available string) string {
	return "NAME     ADDRESSES        ASSIGNED   AVAILABLE   ALLOWLISTED   AGE\n" +
		fmt.Sprintf("public   192.168.3.0/24   %-8s   %-9s   True          2s\n", assigned, available)
}

func (l *fakeLab) services() string {
	shown := l.external
	if shown == "" {
		shown = "<none>"
	}
	return "Warning: spec.externalIPs is deprecated\n" +
		"NAME         TYPE        CLUSTER-IP     EXTERNAL-IP     PORT(S)   AGE\n" +
		"kubernetes   ClusterIP   10.49.0.1      <none>          443/TCP   1m\n" +
		"nginx        ClusterIP   10.49.62.131   " + fmt.Sprintf("%-13s", shown) + "   80/TCP    1s\n"
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
		if l.external != "" {
			add(l.external, 2, 3)
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
	if address == l.external {
		client = outside
	}
	l.requests = append(l.requests, fmt.Sprintf("[pod/nginx-a/nginx] %s - - \"GET /%s HTTP/1.1\" 200\n", client, path))
	return Result{Output: welcome}
}

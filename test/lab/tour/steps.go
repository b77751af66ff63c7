package tour

import (
	"fmt"
	"net/netip"
	"strings"
)

// What the tour configures.
const (
	asNumber     = 64512
	clusterBlock = "10.49.0.0/16"
	// externalBlock is where Services get addresses that the cluster does not manage, externalIP the one for nginx.
	externalBlock = "192.168.3.0/24"
	externalIP    = "192.168.3.180"
	// outside is the address of the lab's outside client.
	outside = "172.31.0.2"
)

// steps returns the chapters in order. Each is made when its turn comes, from what those before it have found out.
func steps() []func(*facts) step {
	return []func(*facts) step{
		rack, peering, clusterIPs, deployment, service, fromOutside, local, stillMasqueraded, externalIPs, withdrawn,
		assignment, clientAddress, whatHeraldSays, assignedByHerald,
	}
}

func rack(f *facts) step {
	return step{
		title: "The rack",
		text: `
Every node of the cluster stands in the rack 192.168.1.0/24, behind a top-of-rack router with address
192.168.1.1 that speaks BGP. A client, ` + outside + `, is on the other side of it. Herald runs on every node, but
has not been told about any router yet, so the router knows nothing of the cluster.`,
		actions: append([]action{{
			command: kubectl("get", "nodes", "-o", "custom-columns=NODE:.metadata.name,ADDRESS:.status.addresses[0].address,PODS:.spec.podCIDR"),
			check:   rows("NODE", f.noteNode, f.nodesNoted),
		}}, f.onRouters(fresh(routed(nil, block(clusterBlock), block(externalBlock))))...),
	}
}

func peering(f *facts) step {
	var manifests []string
	for i, router := range f.routers {
		name := fmt.Sprintf("bgppeer-global-%d", asNumber)
		if i > 0 {
			name += fmt.Sprintf("-%d", i+1)
		}
		manifests = append(manifests, fmt.Sprintf(`apiVersion: herald.network/v1alpha1
kind: BGPPeer
metadata:
  name: %s
spec:
  peerIP: %s
  asNumber: %d
`, name, router.Address, asNumber))
	}
	return step{
		title: "Peer with the router",
		text: `
One object tells every node about the router. Herald's agents dial it at once.`,
		actions: []action{{
			command: withInput(strings.Join(manifests, "---\n"), "apply", "-f", "-"),
			check:   succeeded("the peer is accepted", "created"),
		}, f.heraldSays("every node has a session with every router, and nothing to advertise yet", state{ready: "False", reason: "NoConfiguration"})},
	}
}

func clusterIPs(f *facts) step {
	return step{
		title: "Advertise the cluster IPs",
		text: `
A session alone carries no route. What may be advertised is said in the BGPConfiguration: here the range that
cluster IPs are taken from. Each node then advertises the whole block, and the router spreads connections over
all of them.`,
		actions: append([]action{{
			command: withInput(`apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata:
  name: default
spec:
  serviceClusterIPs:
  - cidr: `+clusterBlock+`
`, "create", "--save-config", "-f", "-"),
			check: succeeded("the configuration is accepted", "created"),
		}}, append(f.onRouters(routed(routes{block(clusterBlock): f.nextHops()})),
			f.heraldSays("every node advertises one route", state{ready: "True", reason: "AllEstablished", routes: 1}))...),
	}
}

func deployment(f *facts) step {
	return step{
		title: "Run nginx",
		text: `
Something to reach: two replicas of nginx, which the scheduler spreads over two of the nodes.`,
		actions: []action{{
			command: withInput(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx
spec:
  selector:
    matchLabels:
      app: nginx
  replicas: 2
  template:
    metadata:
      labels:
        app: nginx
    spec:
      containers:
      - name: nginx
        image: nginx
        ports:
        - containerPort: 80
`, "apply", "-f", "-"),
			check: succeeded("the Deployment is created", "created"),
		}, {
			command: kubectl("rollout", "status", "deployment/nginx", "--timeout=30s"),
			check:   succeeded("both replicas are ready", "successfully rolled out"),
		}, {
			command: kubectl("get", "pods", "-l", "app=nginx", "-o", "custom-columns=POD:.metadata.name,NODE:.spec.nodeName,IP:.status.podIP"),
			check:   rows("POD", f.notePod, f.podsSpread),
		}},
	}
}

func service(f *facts) step {
	return step{
		title: "Make it a Service",
		text: `
A Service gives nginx an address in the cluster's range. The router's route for the whole range covers it, so
nothing more has to be advertised.`,
		actions: []action{{
			command: kubectl("expose", "deployment", "nginx"),
			check:   succeeded("the Service is created", "exposed"),
		}, {
			command: kubectl("get", "services"),
			check:   rows("NAME", f.noteClusterIP, f.clusterIPNoted),
		}},
	}
}

func fromOutside(f *facts) step {
	return step{
		title: "Reach it from outside",
		text: `
The outside client asks for the cluster IP. Connections are balanced twice: the router picks a node, and
kube-proxy on that node picks a pod, perhaps on another node. To get the answers back, kube-proxy replaces the
client's address with the node's: nginx does not see who asks.`,
		actions: f.request(f.clusterIP.String(), "cluster-ip", f.seesANode),
	}
}

func local(f *facts) step {
	return step{
		title: "Skip the second hop",
		text: `
With externalTrafficPolicy: Local, only the nodes that run nginx advertise the Service, each with a route to its
very address. It is more specific than the block's, which stays for all other Services.`,
		actions: append([]action{{
			command: kubectl("patch", "service", "nginx", "-p", `{"spec":{"type":"NodePort","externalTrafficPolicy":"Local"}}`),
			check:   succeeded("the Service is changed", "patched"),
		}}, append(f.onRouters(routed(routes{block(clusterBlock): f.nextHops(), host(f.clusterIP): f.nextHops(f.serving...)})),
			f.heraldSays("the nodes that run nginx advertise one route more", state{ready: "True", reason: "AllEstablished", routes: 1, more: 1}))...),
	}
}

func stillMasqueraded(f *facts) step {
	return step{
		title: "What Local does to a cluster IP",
		text: `
The router now sends connections only to nodes that run nginx. It is the route that the policy steers: what
kube-proxy does with a cluster IP follows internalTrafficPolicy, so it still picks any pod and nginx still sees a
node. For addresses from outside the cluster it will be different, see below.`,
		actions: f.request(f.clusterIP.String(), "cluster-ip-local", f.seesANode),
	}
}

func externalIPs(f *facts) step {
	return step{
		title: "Advertise external IPs instead",
		text: `
Advertising the cluster's range exposes every Service. External IPs are given to Services one by one. The
configuration is replaced: the range of cluster IPs goes, and one of external IPs comes. Herald says what the
change withdraws before it is done (kubectl apply --dry-run=server would say it too, and change nothing).`,
		actions: append([]action{{
			command: withInput(`apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata:
  name: default
spec:
  serviceClusterIPs:
  serviceExternalIPs:
  - cidr: `+externalBlock+`
`, "apply", "-f", "-"),
			check: succeeded("the configuration is replaced, with a warning of what that withdraws", "configured",
				"this change withdraws "+clusterBlock),
		}}, append(f.onRouters(routed(routes{block(externalBlock): f.nextHops()}, block(clusterBlock), host(f.clusterIP))),
			f.heraldSays("every node advertises one route", state{ready: "True", reason: "AllEstablished", routes: 1}))...),
	}
}

func withdrawn(f *facts) step {
	return step{
		title: "The cluster IP is private again",
		text: `
Nobody outside the cluster knows a way to it.`,
		actions: []action{{
			command: at(External, "curl", "-sS", "-m", "2", f.clusterIP.String()),
			check:   unreachable("no answer from the cluster IP"),
		}},
	}
}

func assignment(f *facts) step {
	return step{
		title: "Give nginx an external IP",
		text: `
The Service still has externalTrafficPolicy: Local, so its new address is advertised by the nodes that run nginx.`,
		actions: append([]action{{
			command: kubectl("patch", "service", "nginx", "-p", `{"spec":{"externalIPs":["`+externalIP+`"]}}`),
			check:   succeeded("the Service is changed", "patched"),
		}, {
			command: kubectl("get", "services"),
			check:   succeeded("nginx has the external IP "+externalIP, externalIP),
		}}, f.onRouters(routed(routes{block(externalBlock): f.nextHops(), block(externalIP + "/32"): f.nextHops(f.serving...)}))...),
	}
}

func clientAddress(f *facts) step {
	return step{
		title: "Reach the external IP",
		text: `
For an address from outside, kube-proxy keeps connections on the node that they came to and leaves the client's
address as it is: nginx sees who asks.`,
		actions: f.request(externalIP, "external-ip", f.seesTheClient),
	}
}

func whatHeraldSays(f *facts) step {
	return step{
		title: "What Herald says",
		text: `
Every node reports what its sessions really do, and how many routes it has sent on them; peers and configurations
add it up. kubectl describe tells more of each, and of a session that is down it tells why.`,
		actions: []action{f.heraldSays("all sessions are up, and every node advertises all that it should",
			state{ready: "True", reason: "AllEstablished", routes: 1, more: 1})},
	}
}

// request asks for a page from outside, and looks up in nginx's log which client it saw. The path tells the request
// from others.
func (f *facts) request(address, path string, saw func(line string) (string, error)) []action {
	return []action{{
		command:  at(External, "curl", "-sS", "-m", "2", address+"/?"+path),
		lines:    5,
		check:    succeeded("nginx answers", "Welcome to nginx!"),
		patience: patience,
	}, {
		command: kubectl("logs", "-l", "app=nginx", "--tail=3", "--prefix"),
		check: func(result Result) (string, error) {
			for line := range strings.Lines(result.Output) {
				if strings.Contains(line, "?"+path+" ") {
					return saw(line)
				}
			}
			return "", fmt.Errorf("should show the request for /?%s", path)
		},
		patience: patience,
	}}
}

// onRouters shows the routing table of every router.
func (f *facts) onRouters(check check) []action {
	var actions []action
	for _, router := range f.routers {
		actions = append(actions, action{
			command:  at(router.Host, "ip", "route"),
			check:    check,
			patience: patience,
		})
	}
	return actions
}

func kubectl(args ...string) Command {
	return Command{Host: Control, Argv: append([]string{"kubectl"}, args...)}
}

func withInput(input string, args ...string) Command {
	command := kubectl(args...)
	command.Input = input
	return command
}

func at(host string, argv ...string) Command { return Command{Host: host, Argv: argv} }

func block(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func host(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }

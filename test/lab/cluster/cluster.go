// Package cluster says how the parts of the lab's Kubernetes cluster are started: their files, arguments and the sign
// that they are ready. It starts nothing itself.
package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/part"
	"github.com/herald-network/herald/test/lab/pki"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/topology"
)

// Ports that the parts listen on.
const (
	etcdPort              = 2379
	apiServerPort         = 6443
	controllerManagerPort = 10257
	schedulerPort         = 10259
	kubeProxyPort         = 10256
)

// Cluster is the lab's cluster.
type Cluster struct {
	rack     topology.Rack
	binaries controlplane.Binaries
	dir      statedir.Dir
	audited  bool
}

// New describes a cluster whose files are in dir.
func New(rack topology.Rack, binaries controlplane.Binaries, dir statedir.Dir) Cluster {
	return Cluster{rack: rack, binaries: binaries, dir: dir}
}

// Audited returns the same cluster with an API server that notes every request in the lab's audit log.
func (c Cluster) Audited() Cluster {
	c.audited = true
	return c
}

// Etcd returns etcd. Its data is lost with the machine: nothing is synced to disk.
func (c Cluster) Etcd() part.Part {
	url := fmt.Sprintf("http://127.0.0.1:%d", etcdPort)
	return c.part(controlplane.Etcd, topology.ControlPlane, url+"/health",
		"--data-dir="+c.dir.Path("etcd"),
		"--listen-client-urls="+url,
		"--advertise-client-urls="+url,
		"--listen-peer-urls=http://127.0.0.1:0",
		"--log-level=warn",
		"--quota-backend-bytes=4294967296",
		"--unsafe-no-fsync",
	)
}

// APIServer returns the API server. It reaches webhooks at their pods, since no kube-proxy runs beside it.
func (c Cluster) APIServer() part.Part {
	flags := []string{
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", etcdPort),
		"--advertise-address=" + c.host().String(),
		fmt.Sprintf("--secure-port=%d", apiServerPort),
		"--service-cluster-ip-range=" + join(c.rack.Services),
		"--tls-cert-file=" + c.file("server.crt"),
		"--tls-private-key-file=" + c.file("server.key"),
		"--client-ca-file=" + c.file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.file("service-accounts.pub"),
		"--service-account-signing-key-file=" + c.file("service-accounts.key"),
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		"--kubelet-preferred-address-types=InternalIP",
		"--enable-aggregator-routing=true",
	}
	if c.audited {
		flags = append(flags, "--audit-policy-file="+c.auditPolicy(), "--audit-log-path="+c.dir.AuditLog(), "--audit-log-maxsize=4096")
	}
	return c.part(controlplane.APIServer, topology.ControlPlane, fmt.Sprintf("https://127.0.0.1:%d/readyz", apiServerPort), flags...)
}

// auditPolicy notes of every request who made it and what came of it, once.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// ControllerManager returns the controller manager. The nodes bring their pod ranges themselves.
func (c Cluster) ControllerManager() part.Part {
	return c.part(controlplane.ControllerManager, topology.ControlPlane, fmt.Sprintf("https://127.0.0.1:%d/healthz", controllerManagerPort),
		"--kubeconfig="+c.kubeconfig(controlplane.ControllerManager),
		"--service-account-private-key-file="+c.file("service-accounts.key"),
		"--root-ca-file="+c.file("ca.crt"),
		"--use-service-account-credentials=true",
		"--allocate-node-cidrs=false",
		"--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
}

// Scheduler returns the scheduler.
func (c Cluster) Scheduler() part.Part {
	return c.part(controlplane.Scheduler, topology.ControlPlane, fmt.Sprintf("https://127.0.0.1:%d/healthz", schedulerPort),
		"--kubeconfig="+c.kubeconfig(controlplane.Scheduler),
		"--authentication-tolerate-lookup-failure=true",
		"--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
}

// KubeProxy returns the kube-proxy of a node, in nftables mode. Conntrack's limits are the machine's own and left alone.
func (c Cluster) KubeProxy(node string) part.Part {
	return c.part(controlplane.KubeProxy+"/"+node, node, fmt.Sprintf("http://127.0.0.1:%d/healthz", kubeProxyPort),
		"--kubeconfig="+c.kubeconfig(controlplane.KubeProxy),
		"--hostname-override="+node,
		"--proxy-mode=nftables",
		"--cluster-cidr="+join(c.rack.Pods),
		"--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0",
		"--conntrack-tcp-timeout-close-wait=0",
	)
}

// part returns a part of one process, whose program is named by the first element of the part's name.
func (c Cluster) part(name, host, readyURL string, flags ...string) part.Part {
	program, _, _ := strings.Cut(name, "/")
	args := append([]string{c.binaries[program]}, flags...)
	return part.Part{Name: name, Host: host, Processes: []part.Process{{Args: args, ReadyURL: readyURL}}}
}

// Kubectl is the path of kubectl.
func (c Cluster) Kubectl() string { return c.binaries[controlplane.Kubectl] }

// WriteFiles makes keys, certificates and kubeconfigs.
func (c Cluster) WriteFiles() error {
	authority, err := pki.NewAuthority("herald-lab")
	if err != nil {
		return err
	}
	server, err := authority.Server(controlplane.APIServer, []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}, c.serverAddresses())
	if err != nil {
		return err
	}
	public, private, err := pki.NewKeyPair()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		c.file("ca.crt"):     authority.CertPEM,
		c.file("server.crt"): server.Cert, c.file("server.key"): server.Key,
		c.file("service-accounts.pub"): public, c.file("service-accounts.key"): private,
	}
	if c.audited {
		files[c.auditPolicy()] = []byte(auditPolicy)
	}
	for path, user := range map[string][]string{
		c.dir.Kubeconfig():                           {"admin", "system:masters"},
		c.kubeconfig(controlplane.ControllerManager): {"system:kube-controller-manager"},
		c.kubeconfig(controlplane.Scheduler):         {"system:kube-scheduler"},
		c.kubeconfig(controlplane.KubeProxy):         {"system:kube-proxy"},
	} {
		client, err := authority.Client(user[0], user[1:]...)
		if err != nil {
			return err
		}
		if files[path], err = authority.Kubeconfig(c.url(), client); err != nil {
			return err
		}
	}
	errs := []error{os.MkdirAll(c.file(""), 0o755)}
	for path, content := range files {
		errs = append(errs, os.WriteFile(path, content, 0o600))
	}
	return errors.Join(errs...)
}

// serverAddresses are those that clients call the API server by: its own, and the first of each Service range, which is
// that of the Service kubernetes.
func (c Cluster) serverAddresses() []netip.Addr {
	host, _ := c.rack.Host(topology.ControlPlane)
	addresses := append(host.Addresses(), netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback())
	for _, services := range c.rack.Services {
		addresses = append(addresses, services.Addr().Next())
	}
	return addresses
}

func (c Cluster) host() netip.Addr {
	host, _ := c.rack.Host(topology.ControlPlane)
	return host.Addresses()[0]
}

func (c Cluster) url() string {
	return "https://" + net.JoinHostPort(c.host().String(), strconv.Itoa(apiServerPort))
}

func (c Cluster) file(name string) string { return c.dir.Path("pki", name) }

func (c Cluster) auditPolicy() string { return c.dir.Path("audit-policy.yaml") }

func (c Cluster) kubeconfig(part string) string { return c.file(part + ".kubeconfig") }

func join(prefixes []netip.Prefix) string {
	texts := make([]string, 0, len(prefixes))
	for _, prefix := range prefixes {
		texts = append(texts, prefix.String())
	}
	return strings.Join(texts, ",")
}

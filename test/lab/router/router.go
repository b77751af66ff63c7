// Package router configures the lab's top-of-rack routers: BIRD, FRR, OpenBGPD or GoBGP. A router takes sessions from
// every node of its rack, in whatever families the node offers, accepts all routes, sends none, and, where its daemon can,
// helps a restarting node by keeping its routes (RFC 4724).
//
// Only BIRD and FRR tell the kernel what they learn. OpenBGPD does so on OpenBSD alone, and gobgpd leaves it to zebra: such a
// router speaks BGP and forwards nothing to Services.
package router

import (
	"bytes"
	"embed"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/template"

	"github.com/herald-network/herald/test/lab/debian"
	"github.com/herald-network/herald/test/lab/part"
	"github.com/herald-network/herald/test/lab/topology"
)

// ASN is the AS number of routers, and by default of nodes.
const ASN = 64512

// Kind is a routing daemon.
type Kind string

// The kinds.
const (
	BIRD     Kind = "bird"
	FRR      Kind = "frr"
	OpenBGPD Kind = "openbgpd"
	GoBGP    Kind = "gobgp"
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{BIRD, FRR, OpenBGPD, GoBGP} }

// ParseKinds reads what a number of routers run: one kind for all of them, or one for each, separated by commas.
func ParseKinds(text string, routers int) ([]Kind, error) {
	names := strings.Split(text, ",")
	if len(names) == 1 {
		names = slices.Repeat(names, routers)
	}
	if len(names) != routers {
		return nil, fmt.Errorf("router %q names %d kinds for %d routers: give one for all or one for each", text, len(names), routers)
	}
	kinds := make([]Kind, 0, routers)
	for _, name := range names {
		kind := Kind(name)
		if !slices.Contains(Kinds(), kind) {
			return nil, fmt.Errorf("router %q: there are %q", name, Kinds())
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// Forwards says whether the router's kernel learns what the router learns.
func (k Kind) Forwards() bool { return k == BIRD || k == FRR }

// NeedsRoot says whether the router runs only where the lab is started by root: OpenBGPD gives up its rights by becoming
// another user, and a user namespace has none.
func (k Kind) NeedsRoot() bool { return k == OpenBGPD }

//go:embed templates
var templates embed.FS

// Files returns the files that the router needs on its host, by path.
func (k Kind) Files(router topology.Host) (map[string]string, error) {
	var names map[string]string
	switch k {
	case BIRD:
		names = map[string]string{"/etc/bird/bird.conf": "bird.conf"}
	case FRR:
		names = map[string]string{
			"/etc/frr/zebra.conf": "zebra.conf", "/etc/frr/bgpd.conf": "bgpd.conf", "/etc/frr/bfdd.conf": "bfdd.conf",
			"/etc/frr/vtysh.conf": "vtysh.conf", "/etc/group": "group",
		}
	case OpenBGPD:
		names = map[string]string{"/etc/bgpd.conf": "openbgpd.conf"}
	case GoBGP:
		names = map[string]string{"/etc/gobgp/gobgpd.toml": "gobgpd.toml"}
	}
	files := map[string]string{}
	for path, name := range names {
		text, err := render(name, router)
		if err != nil {
			return nil, fmt.Errorf("render %s for %s: %w", path, router.Name, err)
		}
		files[path] = text
	}
	return files, nil
}

// session is what nodes of one family connect to.
type session struct {
	// Family is ipv4 or ipv6.
	Family  string
	Address netip.Addr
	Subnet  netip.Prefix
}

func render(name string, router topology.Host) (string, error) {
	data := struct {
		Name     string
		ASN      int
		RouterID netip.Addr
		Sessions []session
	}{Name: router.Name, ASN: ASN, RouterID: router.Addresses()[0]}
	for _, prefix := range router.Ports[0].Addresses {
		family := "ipv4"
		if prefix.Addr().Is6() {
			family = "ipv6"
		}
		data.Sessions = append(data.Sessions, session{Family: family, Address: prefix.Addr(), Subnet: prefix.Masked()})
	}
	parsed, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, data)
	return text.String(), err
}

// RunDir is where, on its host, the router keeps its sockets.
func (k Kind) RunDir() string { return "/run/" + string(k) }

// Part returns the router as a part that runs on the host of that name. It is started as root and stays it, since a
// sandbox may have no other user; FRR wants its group for terminals all the same, and the host's own /etc/group has it as
// another name of root's.
func (k Kind) Part(name string) part.Part {
	p := part.Part{Name: name, Host: name}
	switch k {
	case BIRD:
		p.Processes = []part.Process{{Args: []string{"bird", "-f"}, ReadyFile: k.RunDir() + "/bird.ctl"}}
	case FRR:
		options := []string{"--user=root", "--group=root", "--vty_port=0", "--log=stdout", "--log-level=informational"}
		p.Processes = []part.Process{
			{Args: append([]string{"/usr/lib/frr/zebra"}, options...), ReadyFile: k.RunDir() + "/zserv.api"},
			{Args: append([]string{"/usr/lib/frr/bgpd"}, options...), ReadyFile: k.RunDir() + "/bgpd.vty"},
			{Args: append([]string{"/usr/lib/frr/bfdd"}, options...), ReadyFile: k.RunDir() + "/bfdd.vty"},
		}
	case OpenBGPD:
		p.Processes = []part.Process{{Args: []string{"bgpd", "-d", "-v"}, ReadyFile: k.RunDir() + "/bgpd.sock.0"}}
	case GoBGP:
		// gobgp, the command, looks for the port; the socket is there to be waited for.
		socket := k.RunDir() + "/gobgp.sock"
		p.Processes = []part.Process{{
			Args: []string{
				"gobgpd", "--config-file=/etc/gobgp/gobgpd.toml", "--log-plain", "--pprof-disable",
				"--api-hosts=127.0.0.1:50051,unix://" + socket,
			},
			ReadyFile: socket,
		}}
	}
	return p
}

// Programs returns what the router takes from Debian.
func (k Kind) Programs() []debian.Program {
	switch k {
	case FRR:
		return []debian.Program{{Name: "/usr/lib/frr/bgpd", Package: "frr", Service: "frr.service"}}
	case OpenBGPD:
		return []debian.Program{{Name: "bgpd", Package: "openbgpd", Service: "openbgpd.service"}}
	case GoBGP:
		return []debian.Program{
			{Name: "gobgpd", Package: "gobgpd", Service: "gobgpd.service"},
			{Name: "gobgp", Package: "gobgpd", Service: "gobgpd.service"},
		}
	default:
		return []debian.Program{{Name: "bird", Package: "bird2", Service: "bird.service"}}
	}
}

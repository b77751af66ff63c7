// Package daemon puts configuration on the routers of a lab and reads what they say, in one vocabulary for BIRD, FRR,
// OpenBGPD and GoBGP: a Neighbour goes in, through the daemon's own configuration file and a reload, and a Session and
// its Routes come out, from the daemon's own command line. What a daemon lacks is not hidden here: whoever asks for it
// has to know.
package daemon

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/template"

	"github.com/herald-network/herald/test/lab/router"
)

// ASN is the routers' AS number, NodeASN that of the nodes.
const (
	ASN     = 64512
	NodeASN = 64513
)

// Neighbour is one node as its router is configured for it. The zero value of a field leaves the daemon's default.
type Neighbour struct {
	// Address is the node's; one that is link-local is reached through Interface.
	Address   netip.Addr
	Interface string
	// ASN is the node's AS number, LocalASN the router's toward this node, where it is not its own.
	ASN, LocalASN uint32
	// Families are those that the router offers.
	Families []Family
	// Password is that of TCP MD5 signatures (RFC 2385).
	Password string
	// Dial has the router open the connection, to DialPort where it is not 179; else it waits for the node.
	Dial     bool
	DialPort uint16
	// ListenPort is where the router waits for the node, where it is not 179.
	ListenPort uint16
	// HoldTime is what the router proposes, in seconds; NoHoldTime has it propose 0.
	HoldTime   int
	NoHoldTime bool
	// TTLSecurity is the greatest distance under TTL security (RFC 5082), MultihopTTL the TTL of eBGP over several hops;
	// 0 is neither.
	TTLSecurity, MultihopTTL int
	// ExtendedNextHop takes IPv4 routes with IPv6 next hops (RFC 8950).
	ExtendedNextHop bool
	// BFD watches the node with BFD at 300 ms x 3, over several hops where MultihopTTL is set.
	BFD bool
	// Announces sends the node the routes of Announced.
	Announces bool
	// Dynamic says that the router has a range that the node is in, and names the node itself.
	Dynamic bool
}

// Family is an address family, written as in configurations.
type Family string

// The families.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// FamilyOf returns an address's family.
func FamilyOf(address netip.Addr) Family {
	if address.Is4() {
		return IPv4
	}
	return IPv6
}

// Has says whether the router offers the family.
func (n Neighbour) Has(family Family) bool { return slices.Contains(n.Families, family) }

// Family is that of the node's address.
func (n Neighbour) Family() Family { return FamilyOf(n.Address) }

// Scoped returns the address with the interface of one that is link-local.
func (n Neighbour) Scoped() string { return n.Address.WithZone(n.Interface).String() }

// Announced are the routes that a router sends to the neighbours that it is to send them.
func Announced() []netip.Prefix {
	var list []netip.Prefix
	for i := range byte(3) {
		list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, i}), 32))
	}
	return list
}

// Session is what a router says of its session with a node.
type Session struct {
	Established bool
	// ASN is the node's AS number, HoldTime what both agreed on in seconds, Families those that both announced.
	ASN      uint32
	HoldTime int
	Families []Family
	// GracefulRestart says whether the node announced it (RFC 4724).
	GracefulRestart bool
	// Updates counts what came from the node since the session began: UPDATE messages or prefixes, as the daemon counts.
	Updates int
	// LastError is why the session was last lost, in the daemon's words.
	LastError string
	// BFD is the state of the BFD session in lower case; "" where there is none.
	BFD string
}

// Route is what a router has from a node for a prefix.
type Route struct {
	Prefix  netip.Prefix
	NextHop netip.Addr
	ASPath  []uint32
	// LocalPreference and MED are nil where the daemon shows none.
	LocalPreference, MED *uint32
	// Communities and LargeCommunities are written with colons.
	Communities, LargeCommunities []string
	// Stale says that the router keeps it for a node that restarts.
	Stale bool
}

// Daemon is what runs on one router.
type Daemon interface {
	// Configure makes these neighbours all that the router has.
	Configure(ctx context.Context, neighbours []Neighbour) error
	// Session tells of the session with a neighbour; one that the router does not know is not established.
	Session(ctx context.Context, n Neighbour) (Session, error)
	// Routes returns what came from a neighbour.
	Routes(ctx context.Context, n Neighbour) ([]Route, error)
	// Refresh asks the neighbour for all of its routes again (RFC 2918).
	Refresh(ctx context.Context, n Neighbour) error
	// Version is the daemon's own.
	Version(ctx context.Context) (string, error)
}

// Lab runs commands on the routers.
type Lab interface {
	// Feed runs a command on a host with a text as its standard input, and returns its standard output.
	Feed(ctx context.Context, input, host string, argv ...string) (string, error)
	// Run runs a command of the lab's own command line.
	Run(ctx context.Context, args ...string) (string, error)
}

// On is a router of a lab.
type On struct {
	Lab  Lab
	Host string
	// Addresses are the router's in the rack, one of each family, LinkLocal is that of its port there.
	Addresses []netip.Addr
	LinkLocal netip.Addr
}

// New returns what drives a router of that kind.
func New(kind router.Kind, on On) Daemon {
	switch kind {
	case router.FRR:
		return &frr{On: on}
	case router.OpenBGPD:
		return &openBGPD{On: on}
	case router.GoBGP:
		return &goBGP{On: on}
	default:
		return &bird{On: on}
	}
}

// Address returns the router's address of a family.
func (o On) Address(family Family) netip.Addr {
	i := slices.IndexFunc(o.Addresses, func(a netip.Addr) bool { return FamilyOf(a) == family })
	return o.Addresses[i]
}

// Facing returns the router's address of a session with a neighbour.
func (o On) Facing(n Neighbour) netip.Addr {
	if n.Interface != "" {
		return o.LinkLocal
	}
	return o.Address(n.Family())
}

// exec runs a command on the router.
func (o On) exec(ctx context.Context, argv ...string) (string, error) {
	return o.Lab.Feed(ctx, "", o.Host, argv...)
}

// write writes a file on the router.
func (o On) write(ctx context.Context, path, content string) error {
	_, err := o.Lab.Feed(ctx, content, o.Host, "tee", path)
	return err
}

//go:embed templates
var templates embed.FS

// render fills in the daemon's template.
func (o On) render(name string, neighbours []Neighbour) (string, error) {
	parsed, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		return "", err
	}
	data := struct {
		On
		ASN        int
		Neighbours []Neighbour
		Announced  []netip.Prefix
		// ListenPorts are the ports on which the router waits, each once.
		ListenPorts []uint16
	}{o, ASN, neighbours, Announced(), listenPorts(neighbours)}
	var text bytes.Buffer
	if err := parsed.Execute(&text, data); err != nil {
		return "", fmt.Errorf("render the configuration of %s: %w", o.Host, err)
	}
	return text.String(), nil
}

// RouterID is the router's.
func (o On) RouterID() netip.Addr { return o.Address(IPv4) }

func listenPorts(neighbours []Neighbour) []uint16 {
	ports := []uint16{179}
	for _, n := range neighbours {
		if n.ListenPort != 0 && !slices.Contains(ports, n.ListenPort) {
			ports = append(ports, n.ListenPort)
		}
	}
	return ports
}

// named turns an address into a name that any configuration takes.
func named(address netip.Addr) string {
	return "node_" + strings.NewReplacer(".", "_", ":", "_").Replace(address.WithZone("").String())
}

// Name is what the router calls the node, where it wants a name.
func (n Neighbour) Name() string { return named(n.Address) }

// MinimumTTL is the lowest that TTL security lets pass.
func (n Neighbour) MinimumTTL() int { return 256 - n.TTLSecurity }

// errRefused is what a daemon's answer says in words alone.
var errRefused = errors.New("the daemon refuses it")

// orFailed is the error of a command that failed, or says that the daemon did not do as it was told.
func orFailed(err error) error {
	if err != nil {
		return err
	}
	return errRefused
}

package daemon

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// goBGP drives gobgpd. Routes of its own are no matter of its configuration.
type goBGP struct {
	On

	present   []Neighbour
	announced bool
}

func (g *goBGP) Configure(ctx context.Context, neighbours []Neighbour) error {
	if err := g.forgetPasswords(ctx, neighbours); err != nil {
		return err
	}
	if err := g.reload(ctx, neighbours); err != nil {
		return err
	}
	for _, prefix := range Announced() {
		if g.announced {
			break
		}
		if _, err := g.exec(ctx, "gobgp", "global", "rib", "add", prefix.String()); err != nil {
			return err
		}
	}
	g.announced = true
	return nil
}

// forgetPasswords takes the passwords from neighbours before they go: gobgpd would leave those of neighbours that it deletes
// on its listening socket, and no longer hear a node of that address that does not sign.
func (g *goBGP) forgetPasswords(ctx context.Context, neighbours []Neighbour) error {
	unsigned := slices.Clone(g.present)
	var going []Neighbour
	for i, n := range unsigned {
		if n.Password != "" && !slices.ContainsFunc(neighbours, func(other Neighbour) bool { return other.Address == n.Address }) {
			unsigned[i].Password = ""
			going = append(going, n)
		}
	}
	if len(going) == 0 {
		return nil
	}
	if err := g.reload(ctx, unsigned); err != nil {
		return err
	}
	for _, n := range going {
		for {
			text, err := g.exec(ctx, "gobgp", "-j", "neighbor", n.Scoped())
			if err != nil {
				return err
			}
			if !strings.Contains(text, "auth_password") {
				break
			}
		}
	}
	return nil
}

// reload writes the configuration and has gobgpd read it.
func (g *goBGP) reload(ctx context.Context, neighbours []Neighbour) error {
	text, err := g.render("gobgpd.toml", neighbours)
	if err != nil {
		return err
	}
	if err := g.write(ctx, "/etc/gobgp/gobgpd.toml", text); err != nil {
		return err
	}
	if _, err := g.exec(ctx, "sh", "-c", "gobgpd --dry-run --config-file=/etc/gobgp/gobgpd.toml && kill -HUP $(pidof gobgpd)"); err != nil {
		return fmt.Errorf("configure %s: %w", g.Host, err)
	}
	g.present = slices.Clone(neighbours)
	return nil
}

func (g *goBGP) Session(ctx context.Context, n Neighbour) (Session, error) {
	text, err := g.exec(ctx, "gobgp", "-j", "neighbor", n.Scoped())
	if strings.Contains(text, "not found neighbor") {
		return Session{}, nil
	}
	if err != nil {
		return Session{}, err
	}
	s, err := goBGPSession([]byte(text))
	if err != nil || s.Established {
		return s, err
	}
	s.LastError, err = g.lastError(ctx, n)
	return s, err
}

// lastError returns the last notification that the log has of a neighbour: gobgp tells no reasons.
func (g *goBGP) lastError(ctx context.Context, n Neighbour) (string, error) {
	log, err := g.Lab.Run(ctx, "logs", g.Host)
	if err != nil {
		return "", err
	}
	lines := strings.Split(log, "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		if strings.Contains(line, "notification") && strings.Contains(strings.ReplaceAll(line, `"`, ""), "Key="+n.Scoped()+" ") {
			return line, nil
		}
	}
	return "", nil
}

func goBGPSession(text []byte) (Session, error) {
	const established = 6
	var said struct {
		Conf struct {
			PeerASN uint32 `json:"peer_asn"`
		}
		State struct {
			State    int    `json:"session_state"`
			PeerASN  uint32 `json:"peer_asn"`
			Messages struct {
				Received struct{ Update int }
			}
			RemoteCap []goBGPCapability `json:"remote_cap"`
			LocalCap  []goBGPCapability `json:"local_cap"`
		}
		Timers struct {
			State struct {
				HoldTime float64 `json:"negotiated_hold_time"`
			}
		}
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return Session{}, err
	}
	s := Session{
		Established: said.State.State == established, ASN: said.State.PeerASN,
		HoldTime: int(said.Timers.State.HoldTime), Updates: said.State.Messages.Received.Update,
		GracefulRestart: slices.ContainsFunc(said.State.RemoteCap, func(c goBGPCapability) bool { return c.is("GracefulRestart") }),
	}
	for _, family := range []Family{IPv4, IPv6} {
		if announces(said.State.LocalCap, family) && announces(said.State.RemoteCap, family) {
			s.Families = append(s.Families, family)
		}
	}
	return s, nil
}

// goBGPCapability is a capability: its name and a message of protocol buffers.
type goBGPCapability struct {
	Type  string `json:"type_url"`
	Value string
}

func (c goBGPCapability) is(name string) bool {
	return strings.HasSuffix(c.Type, "."+name+"Capability")
}

// announces says whether one of the capabilities is multiprotocol's for unicast of the family.
func announces(capabilities []goBGPCapability, family Family) bool {
	afi := byte(1)
	if family == IPv6 {
		afi = 2
	}
	// Field 1, a message of 4 bytes, whose fields are the AFI and SAFI 1.
	want := []byte{0x0a, 4, 0x08, afi, 0x10, 1}
	return slices.ContainsFunc(capabilities, func(c goBGPCapability) bool {
		value, err := base64.StdEncoding.DecodeString(c.Value)
		return err == nil && c.is("MultiProtocol") && bytes.Equal(value, want)
	})
}

// Routes looks at all that there is, since gobgp shows what one neighbour sent only while its session is up.
func (g *goBGP) Routes(ctx context.Context, n Neighbour) ([]Route, error) {
	var routes []Route
	for _, family := range n.Families {
		text, err := g.exec(ctx, "gobgp", "-j", "global", "rib", "-a", string(family))
		if err != nil {
			return nil, err
		}
		list, err := goBGPRoutes([]byte(text), n.Address)
		if err != nil {
			return nil, err
		}
		routes = append(routes, list...)
	}
	return routes, nil
}

// Types of path attributes (RFC 4271, 1997, 4760, 8092).
const (
	typeASPath           = 2
	typeNextHop          = 3
	typeMED              = 4
	typeLocalPreference  = 5
	typeCommunities      = 8
	typeMPReach          = 14
	typeLargeCommunities = 32
)

type goBGPAttribute struct {
	Type    int
	Value   json.RawMessage
	NextHop netip.Addr
	ASPaths []struct{ ASNs []uint32 } `json:"as_paths"`
	Metric  *uint32
	// Communities are standard ones.
	Communities []uint32
}

// goBGPRoutes reads the table, and returns what came from one neighbour.
func goBGPRoutes(text []byte, from netip.Addr) ([]Route, error) {
	var said map[netip.Prefix][]struct {
		Attrs      []goBGPAttribute
		Stale      bool
		NeighborIP string `json:"neighbor-ip"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, err
	}
	var routes []Route
	for prefix, paths := range said {
		for _, path := range paths {
			if address, _, _ := strings.Cut(path.NeighborIP, "%"); address != from.String() {
				continue
			}
			route := Route{Prefix: prefix, Stale: path.Stale}
			for _, attribute := range path.Attrs {
				if err := route.takeGoBGP(attribute); err != nil {
					return nil, err
				}
			}
			routes = append(routes, route)
		}
	}
	return routes, nil
}

func (r *Route) takeGoBGP(a goBGPAttribute) error {
	switch a.Type {
	case typeASPath:
		for _, segment := range a.ASPaths {
			r.ASPath = append(r.ASPath, segment.ASNs...)
		}
	case typeNextHop, typeMPReach:
		r.NextHop = a.NextHop
	case typeMED:
		r.MED = a.Metric
	case typeLocalPreference:
		return json.Unmarshal(a.Value, &r.LocalPreference)
	case typeCommunities:
		for _, community := range a.Communities {
			r.Communities = append(r.Communities, fmt.Sprintf("%d:%d", community>>16, community&0xffff))
		}
	case typeLargeCommunities:
		var list []struct{ ASN, LocalData1, LocalData2 uint32 }
		if err := json.Unmarshal(a.Value, &list); err != nil {
			return err
		}
		for _, c := range list {
			r.LargeCommunities = append(r.LargeCommunities, fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2))
		}
	}
	return nil
}

func (g *goBGP) Refresh(ctx context.Context, n Neighbour) error {
	_, err := g.exec(ctx, "gobgp", "neighbor", n.Scoped(), "softresetin")
	return err
}

func (g *goBGP) Version(ctx context.Context) (string, error) {
	text, err := g.exec(ctx, "gobgpd", "--version")
	if err != nil {
		return "", err
	}
	return firstMatch(`version (\S+)`, text), nil
}

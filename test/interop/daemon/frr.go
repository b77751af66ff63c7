package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// frr drives FRR. vtysh adds to what runs, so that what is to go has to be taken back first.
type frr struct {
	On

	// present are the neighbours that it has; configured says that what the lab gave it is gone.
	present    []Neighbour
	configured bool
}

func (f *frr) Configure(ctx context.Context, neighbours []Neighbour) error {
	added := slices.DeleteFunc(slices.Clone(neighbours), func(n Neighbour) bool { return contains(f.present, n) })
	text, err := f.render("bgpd.conf", added)
	if err != nil {
		return err
	}
	if err := f.write(ctx, "/etc/frr/change.conf", f.removals(neighbours)+text); err != nil {
		return err
	}
	answer, err := f.exec(ctx, "vtysh", "-f", "/etc/frr/change.conf")
	if err != nil || strings.Contains(answer, "%") {
		return fmt.Errorf("configure %s: %w\n%s", f.Host, orFailed(err), answer)
	}
	f.present, f.configured = slices.Clone(neighbours), true
	return nil
}

// removals are the commands that take back what the neighbours no longer have.
func (f *frr) removals(neighbours []Neighbour) string {
	if !f.configured {
		return fmt.Sprintf("no router bgp %d\n", ASN)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "router bgp %d\n", ASN)
	for _, n := range f.present {
		if !contains(neighbours, n) {
			fmt.Fprintf(&text, " no neighbor %s\n", n.Address)
		}
	}
	text.WriteString("exit\n")
	return text.String()
}

func contains(list []Neighbour, n Neighbour) bool {
	return slices.ContainsFunc(list, func(other Neighbour) bool { return fmt.Sprint(other) == fmt.Sprint(n) })
}

// vtysh runs commands, whose answers in JSON it returns in order.
func (f *frr) vtysh(ctx context.Context, commands ...string) ([]json.RawMessage, error) {
	argv := []string{"vtysh"}
	for _, command := range commands {
		argv = append(argv, "-c", command)
	}
	text, err := f.exec(ctx, argv...)
	if err != nil {
		return nil, err
	}
	var answers []json.RawMessage
	for decoder := json.NewDecoder(strings.NewReader(text)); ; {
		var answer json.RawMessage
		if err := decoder.Decode(&answer); errors.Is(err, io.EOF) {
			return answers, nil
		} else if err != nil {
			return nil, fmt.Errorf("read what %s says to %q: %w\n%s", f.Host, commands, err, text)
		}
		answers = append(answers, answer)
	}
}

func (f *frr) Session(ctx context.Context, n Neighbour) (Session, error) {
	answers, err := f.vtysh(ctx, fmt.Sprintf("show bgp neighbors %s json", n.Address))
	if err != nil {
		return Session{}, err
	}
	return frrSession(answers[0], n.Address)
}

func frrSession(text []byte, address netip.Addr) (Session, error) {
	var neighbours map[string]json.RawMessage
	if err := json.Unmarshal(text, &neighbours); err != nil {
		return Session{}, err
	}
	var said struct {
		RemoteAS              uint32
		BGPState              string
		BGPTimerHoldTimeMsecs int
		NeighborCapabilities  struct {
			GracefulRestart         string
			MultiprotocolExtensions map[string]struct{ AdvertisedAndReceived bool }
		}
		MessageStats           struct{ UpdatesRecv int }
		LastNotificationReason string
		LastResetDueTo         string
		PeerBFDInfo            struct{ Status string }
	}
	if neighbours[address.String()] == nil {
		return Session{}, nil
	}
	if err := json.Unmarshal(neighbours[address.String()], &said); err != nil {
		return Session{}, err
	}
	s := Session{
		Established: said.BGPState == "Established", ASN: said.RemoteAS, HoldTime: said.BGPTimerHoldTimeMsecs / 1000,
		GracefulRestart: strings.HasSuffix(strings.ToLower(said.NeighborCapabilities.GracefulRestart), "received"),
		Updates:         said.MessageStats.UpdatesRecv, BFD: strings.ToLower(said.PeerBFDInfo.Status),
		LastError: strings.TrimSpace(said.LastResetDueTo + " " + said.LastNotificationReason),
	}
	for family, key := range map[Family]string{IPv4: "ipv4Unicast", IPv6: "ipv6Unicast"} {
		if said.NeighborCapabilities.MultiprotocolExtensions[key].AdvertisedAndReceived {
			s.Families = append(s.Families, family)
		}
	}
	slices.Sort(s.Families)
	return s, nil
}

// Routes looks at the whole table: what vtysh shows of one neighbour it does not show while another connection of it takes
// over.
func (f *frr) Routes(ctx context.Context, n Neighbour) ([]Route, error) {
	var commands []string
	for _, family := range n.Families {
		commands = append(commands, fmt.Sprintf("show bgp %s unicast json", family))
	}
	answers, err := f.vtysh(ctx, commands...)
	if err != nil {
		return nil, err
	}
	commands = nil
	for _, answer := range answers {
		var table struct {
			Routes map[netip.Prefix][]struct{ PeerID string }
		}
		if err := json.Unmarshal(answer, &table); err != nil {
			return nil, err
		}
		for prefix, paths := range table.Routes {
			if slices.ContainsFunc(paths, func(path struct{ PeerID string }) bool { return path.PeerID == n.Address.String() }) {
				commands = append(commands, fmt.Sprintf("show bgp %s unicast %s json", FamilyOf(prefix.Addr()), prefix))
			}
		}
	}
	if len(commands) == 0 {
		return nil, nil
	}
	if answers, err = f.vtysh(ctx, commands...); err != nil {
		return nil, err
	}
	var routes []Route
	for _, answer := range answers {
		route, err := frrRoute(answer, n.Address)
		if err != nil {
			return nil, err
		}
		routes = append(routes, route...)
	}
	return routes, nil
}

// frrRoute reads what there is for one prefix, and returns what came from one neighbour.
func frrRoute(text []byte, from netip.Addr) ([]Route, error) {
	var said struct {
		Prefix netip.Prefix
		Paths  []struct {
			ASPath struct {
				Segments []struct{ List []uint32 }
			}
			Metric, LocPrf            *uint32
			Stale                     bool
			Community, LargeCommunity struct{ List []string }
			NextHops                  []struct {
				IP    netip.Addr
				Scope string
			}
			Peer struct{ PeerID string }
		}
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, err
	}
	var routes []Route
	for _, path := range said.Paths {
		if path.Peer.PeerID != from.String() || len(path.NextHops) == 0 {
			continue
		}
		route := Route{
			Prefix: said.Prefix, NextHop: path.NextHops[0].IP, MED: path.Metric, LocalPreference: path.LocPrf, Stale: path.Stale,
			Communities: path.Community.List, LargeCommunities: path.LargeCommunity.List,
		}
		for _, segment := range path.ASPath.Segments {
			route.ASPath = append(route.ASPath, segment.List...)
		}
		for i, community := range route.Communities {
			if community == "gracefulShutdown" {
				route.Communities[i] = "65535:0"
			}
		}
		routes = append(routes, route)
	}
	return routes, nil
}

func (f *frr) Refresh(ctx context.Context, n Neighbour) error {
	_, err := f.exec(ctx, "vtysh", "-c", fmt.Sprintf("clear bgp %s unicast %s in", n.Families[0], n.Address))
	return err
}

func (f *frr) Version(ctx context.Context) (string, error) {
	text, err := f.exec(ctx, "vtysh", "-c", "show version")
	if err != nil {
		return "", err
	}
	return firstMatch(`FRRouting (\S+)`, text), nil
}

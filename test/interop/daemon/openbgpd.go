package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// openBGPD drives OpenBGPD.
type openBGPD struct {
	On
}

func (o *openBGPD) Configure(ctx context.Context, neighbours []Neighbour) error {
	text, err := o.render("openbgpd.conf", neighbours)
	if err != nil {
		return err
	}
	// It refuses a file with passwords that others may read.
	if _, err := o.Lab.Feed(ctx, text, o.Host, "sh", "-c", "umask 077; cat > /etc/bgpd.conf && chmod 600 /etc/bgpd.conf"); err != nil {
		return err
	}
	for {
		answer, err := o.exec(ctx, "bgpctl", "reload")
		switch {
		case err == nil && strings.Contains(answer, "previous reload still running") && ctx.Err() == nil: // Until it is through.
		case err == nil && strings.Contains(answer, "request processed"):
			return nil
		default:
			return fmt.Errorf("configure %s: %w\n%s", o.Host, orFailed(err), answer)
		}
	}
}

func (o *openBGPD) Session(ctx context.Context, n Neighbour) (Session, error) {
	text, err := o.exec(ctx, "bgpctl", "-j", "show", "neighbor", n.Scoped())
	if err != nil {
		return Session{}, err
	}
	return openBGPDSession([]byte(text))
}

func openBGPDSession(text []byte) (Session, error) {
	var said struct {
		Neighbors []struct {
			RemoteAS  string `json:"remote_as"`
			State     string
			LastError string `json:"last_error"`
			// LastErrorReceived is what came in a NOTIFICATION.
			LastErrorReceived string `json:"last_error_received"`
			Stats             struct {
				Message struct {
					Received struct{ Updates int }
				}
			}
			Session struct {
				HoldTime     int
				Capabilities struct {
					Multiprotocol   []string
					GracefulRestart struct{ Timeout int } `json:"graceful_restart"`
				}
			}
		}
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return Session{}, err
	}
	if len(said.Neighbors) == 0 {
		return Session{}, nil
	}
	theirs := said.Neighbors[0]
	asn, err := asnOf(theirs.RemoteAS)
	if err != nil {
		return Session{}, err
	}
	s := Session{
		Established: theirs.State == "Established", ASN: asn, HoldTime: theirs.Session.HoldTime,
		GracefulRestart: theirs.Session.Capabilities.GracefulRestart.Timeout > 0,
		Updates:         theirs.Stats.Message.Received.Updates,
		LastError:       strings.TrimSpace(theirs.LastError + " " + theirs.LastErrorReceived),
	}
	for family, name := range map[Family]string{IPv4: "IPv4 unicast", IPv6: "IPv6 unicast"} {
		if slices.Contains(theirs.Session.Capabilities.Multiprotocol, name) {
			s.Families = append(s.Families, family)
		}
	}
	slices.Sort(s.Families)
	return s, nil
}

// asnOf reads an AS number, which OpenBGPD writes as two numbers where it takes more than 16 bits.
func asnOf(text string) (uint32, error) {
	high, low, dotted := strings.Cut(text, ".")
	if !dotted {
		high, low = "0", text
	}
	upper, err := strconv.ParseUint(high, 10, 16)
	if err != nil {
		return 0, err
	}
	lower, err := strconv.ParseUint(low, 10, 32)
	return uint32(upper<<16 | lower), err
}

func (o *openBGPD) Routes(ctx context.Context, n Neighbour) ([]Route, error) {
	text, err := o.exec(ctx, "bgpctl", "-j", "show", "rib", "detail", "neighbor", n.Scoped())
	if err != nil {
		return nil, err
	}
	return openBGPDRoutes([]byte(text))
}

func openBGPDRoutes(text []byte) ([]Route, error) {
	var said struct {
		RIB []struct {
			Prefix           netip.Prefix
			ASPath           string
			NextHop          netip.Addr `json:"exit_nexthop"`
			Metric           *uint32
			LocalPref        *uint32
			Stale            bool
			Communities      []string
			LargeCommunities []string `json:"large_communities"`
		}
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, err
	}
	var routes []Route
	for _, path := range said.RIB {
		route := Route{
			Prefix: path.Prefix, NextHop: path.NextHop, MED: path.Metric, LocalPreference: path.LocalPref, Stale: path.Stale,
			Communities: path.Communities, LargeCommunities: path.LargeCommunities,
		}
		for i, community := range route.Communities {
			if community == "GRACEFUL_SHUTDOWN" {
				route.Communities[i] = "65535:0"
			}
		}
		for asn := range strings.FieldsSeq(path.ASPath) {
			number, err := asnOf(asn)
			if err != nil {
				return nil, err
			}
			route.ASPath = append(route.ASPath, number)
		}
		routes = append(routes, route)
	}
	return routes, nil
}

func (o *openBGPD) Refresh(ctx context.Context, n Neighbour) error {
	_, err := o.exec(ctx, "bgpctl", "neighbor", n.Scoped(), "refresh")
	return err
}

func (o *openBGPD) Version(ctx context.Context) (string, error) {
	// It goes to standard error.
	text, err := o.exec(ctx, "sh", "-c", "bgpd -V 2>&1")
	if err != nil {
		return "", err
	}
	return firstMatch(`OpenBGPD (\S+)`, text), nil
}

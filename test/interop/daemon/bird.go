package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// bird drives BIRD 2. Its command line has no JSON: what it prints is read line by line.
type bird struct {
	On
}

func (b *bird) Configure(ctx context.Context, neighbours []Neighbour) error {
	text, err := b.render("bird.conf", neighbours)
	if err != nil {
		return err
	}
	if err := b.write(ctx, "/etc/bird/bird.conf", text); err != nil {
		return err
	}
	answer, err := b.birdc(ctx, "configure")
	if err != nil || !strings.Contains(answer, "Reconfigur") {
		return fmt.Errorf("configure %s: %w\n%s", b.Host, orFailed(err), answer)
	}
	return nil
}

// birdc asks again where another test changed the configuration in the middle of the answer.
func (b *bird) birdc(ctx context.Context, words ...string) (string, error) {
	for {
		text, err := b.exec(ctx, append([]string{"birdc"}, words...)...)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error()+text, "Stopped due to reconfiguration") {
			return text, err
		}
	}
}

func (b *bird) Session(ctx context.Context, n Neighbour) (Session, error) {
	name, err := b.nameOf(ctx, n)
	if err != nil || name == "" {
		return Session{}, err
	}
	text, err := b.birdc(ctx, "show", "protocols", "all", name)
	if err != nil {
		if strings.Contains(text, "CF_SYM_UNDEFINED") {
			return Session{}, nil
		}
		return Session{}, err
	}
	s := birdSession(text)
	if n.BFD {
		if text, err = b.birdc(ctx, "show", "bfd", "sessions"); err != nil {
			return Session{}, err
		}
		s.BFD = birdBFD(text, n.Address)
	}
	return s, nil
}

// birdBFD finds a neighbour in "show bfd sessions", whose columns are address, interface and state.
func birdBFD(text string, address netip.Addr) string {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == address.String() {
			return strings.ToLower(fields[2])
		}
	}
	return ""
}

func (b *bird) Routes(ctx context.Context, n Neighbour) ([]Route, error) {
	name, err := b.nameOf(ctx, n)
	if err != nil || name == "" {
		return nil, err
	}
	text, err := b.birdc(ctx, "show", "route", "all", "protocol", name)
	if err != nil {
		return nil, err
	}
	return birdRoutes(text)
}

// nameOf returns the name of the protocol of a neighbour; "" where a dynamic one is not there.
func (b *bird) nameOf(ctx context.Context, n Neighbour) (string, error) {
	if !n.Dynamic {
		return n.Name(), nil
	}
	text, err := b.birdc(ctx, "show", "protocols", "all")
	if err != nil {
		return "", err
	}
	return birdName(text, n.Address), nil
}

// birdName finds a neighbour in "show protocols all".
func birdName(text string, address netip.Addr) string {
	name := ""
	for line := range strings.Lines(text) {
		if start := firstMatch(`^(\S+) +BGP `, line); start != "" {
			name = start
		}
		if firstMatch(`Neighbor address: (\S+)$`, strings.TrimSpace(line)) == address.String() {
			return name
		}
	}
	return ""
}

func (b *bird) Refresh(ctx context.Context, n Neighbour) error {
	_, err := b.birdc(ctx, "reload", "in", n.Name())
	return err
}

func (b *bird) Version(ctx context.Context) (string, error) {
	text, err := b.birdc(ctx, "show", "status")
	if err != nil {
		return "", err
	}
	return firstMatch(`BIRD (\S+)`, text), nil
}

// birdSession reads "show protocols all NAME".
func birdSession(text string) Session {
	s := Session{
		Established: strings.Contains(text, "BGP state:          Established"),
		ASN:         number(firstMatch(`Neighbor AS: +(\d+)`, text)),
		HoldTime:    int(number(firstMatch(`Hold timer: +[\d.]+/(\d+)`, text))),
		LastError:   firstMatch(`Last error: +(.+)`, text),
	}
	_, theirs, _ := strings.Cut(text, "Neighbor capabilities")
	theirs, _, _ = strings.Cut(theirs, "Session: ")
	s.GracefulRestart = strings.Contains(theirs, "Graceful restart")
	for _, family := range []Family{IPv4, IPv6} {
		channel := regexp.MustCompile(`Channel ` + string(family) + `\n\s+State: +UP`)
		if channel.MatchString(text) {
			s.Families = append(s.Families, family)
		}
	}
	for _, count := range regexp.MustCompile(`Import updates: +(\d+)`).FindAllStringSubmatch(text, -1) {
		s.Updates += int(number(count[1]))
	}
	return s
}

// birdRoutes reads "show route all".
func birdRoutes(text string) ([]Route, error) {
	var routes []Route
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if start := regexp.MustCompile(`^(\S+/\d+)?\s+unicast \[`).FindStringSubmatch(line); start != nil {
			route := Route{Stale: regexp.MustCompile(`\(\d+s?/?\S*\)`).FindString(line) != "" && strings.Contains(line, "s)")}
			if start[1] == "" && len(routes) > 0 {
				route.Prefix = routes[len(routes)-1].Prefix
			} else {
				var err error
				if route.Prefix, err = netip.ParsePrefix(start[1]); err != nil {
					return nil, err
				}
			}
			routes = append(routes, route)
			continue
		}
		name, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || len(routes) == 0 {
			continue
		}
		routes[len(routes)-1].takeBIRD(name, value)
	}
	return routes, nil
}

func (r *Route) takeBIRD(name, value string) {
	switch name {
	case "BGP.as_path":
		for asn := range strings.FieldsSeq(value) {
			r.ASPath = append(r.ASPath, number(asn))
		}
	case "BGP.next_hop":
		// The global one and the link-local one; where there is only the latter, the former is "::".
		for text := range strings.FieldsSeq(value) {
			if address, err := netip.ParseAddr(text); err == nil && !r.NextHop.IsValid() && !address.IsUnspecified() {
				r.NextHop = address
			}
		}
	case "BGP.local_pref":
		r.LocalPreference = new(number(value))
	case "BGP.med":
		r.MED = new(number(value))
	case "BGP.community":
		r.Communities = birdList(value)
	case "BGP.large_community":
		r.LargeCommunities = birdList(value)
	}
}

// birdList reads communities, such as "(64512,1) (64512, 1, 2)".
func birdList(text string) []string {
	var list []string
	for _, match := range regexp.MustCompile(`\(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		list = append(list, strings.ReplaceAll(strings.ReplaceAll(match[1], " ", ""), ",", ":"))
	}
	return list
}

// firstMatch returns what the pattern's group matched first, "" where it did not.
func firstMatch(pattern, text string) string {
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return match[1]
}

// number reads a decimal number, 0 where there is none.
func number(text string) uint32 {
	value, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(value)
}

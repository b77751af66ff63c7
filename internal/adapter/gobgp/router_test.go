package gobgp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// testRouter is a BGP speaker that reads the bytes of whoever dials it: what it knows, it has seen on the wire. It answers
// as it was configured and keeps the connection alive.
type testRouter struct {
	listener net.Listener

	mu          sync.Mutex
	config      routerConfig
	connections []*connection
}

// routerConfig is how a router answers. The zero value of a field leaves it out.
type routerConfig struct {
	ASN      bgp.ASN
	ID       string
	HoldTime time.Duration
	Families bgp.Families
	// GracefulRestart offers the capability, as a helper.
	GracefulRestart bool
	// TwoByteAS keeps back the four-octet AS capability.
	TwoByteAS bool
	// Refuse answers each OPEN with this NOTIFICATION, Mute with nothing; HangUp does not wait for one.
	Refuse *packet.BGPNotification
	Mute   bool
	HangUp bool
	// Socket prepares the router's sockets before they connect or listen.
	Socket func(network, address string, raw syscall.RawConn) error
	// TakesRestarts lets each connection end the one before, as a helper of graceful restart does (RFC 4724, section 4.2),
	// OneConnection hangs up on a second one.
	TakesRestarts bool
	OneConnection bool
	// Forgetful counts prefixes instead of keeping them.
	Forgetful bool
	// ExtendedNextHop offers to take IPv4 routes with an IPv6 next hop.
	ExtendedNextHop bool
	// Script plays the router's part in place of all of the above, while what the speaker sends is read. A Deaf router does
	// not even read.
	Script func(*connection)
	Deaf   bool
}

// connection is one connection to the router, and what came over it.
type connection struct {
	conn     net.Conn
	accepted time.Time

	mu           sync.Mutex
	open         *packet.BGPOpen
	silence      context.CancelFunc
	dead         bool // it ends with a reset at the next message
	keepalives   int
	routes       map[netip.Prefix]bgp.Advertisement
	atEndOfRIB   map[bgp.Family]int // routes of a family when its first End-of-RIB came
	updates      int
	announced    int // by a router that is forgetful
	as4Path      []uint32
	news         []string
	notification *packet.BGPNotification
	ended        error
}

func newRouter(tb testing.TB, address string, config routerConfig) *testRouter {
	tb.Helper()
	listen := net.ListenConfig{Control: config.Socket}
	listen.SetMultipathTCP(false) // It has no TCP MD5 signatures.
	listener, err := listen.Listen(tb.Context(), "tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 0).String())
	if err != nil {
		tb.Fatal(err)
	}
	r := &testRouter{listener: listener, config: config}
	tb.Cleanup(r.close)
	go r.serve()
	return r
}

func (r *testRouter) address() netip.AddrPort {
	return netip.MustParseAddrPort(r.listener.Addr().String())
}

// answerWith changes how the router answers later connections.
func (r *testRouter) answerWith(edit func(*routerConfig)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	edit(&r.config)
}

func (r *testRouter) close() {
	_ = r.listener.Close()
	for _, c := range r.all() {
		_ = c.conn.Close()
	}
}

func (r *testRouter) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.take(conn)
	}
}

// take begins to speak on a connection.
func (r *testRouter) take(conn net.Conn) *connection {
	c := &connection{conn: conn, accepted: time.Now(), routes: map[netip.Prefix]bgp.Advertisement{}, atEndOfRIB: map[bgp.Family]int{}}
	r.mu.Lock()
	defer r.mu.Unlock()
	config := r.config
	for _, before := range r.connections {
		if before.end() != nil {
			continue
		}
		if config.TakesRestarts {
			_ = before.conn.Close()
		}
		config.HangUp = config.HangUp || config.OneConnection
	}
	r.connections = append(r.connections, c)
	if config.Deaf {
		_ = conn.(*net.TCPConn).SetReadBuffer(4096) // The kernel shall not read for it.
	}
	if config.Script != nil {
		config.Mute = true
		go config.Script(c)
	}
	if !config.Deaf {
		go c.read(config)
	}
	return c
}

// all returns the connections that were ever made, in order.
func (r *testRouter) all() []*connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.connections)
}

// forget drops what is known of connections but the latest.
func (r *testRouter) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connections = slices.Clone(r.connections[len(r.connections)-1:])
}

// last returns the latest connection; nil before the first.
func (r *testRouter) last() *connection {
	all := r.all()
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// table returns what the router has from the latest connection.
func (r *testRouter) table() map[netip.Prefix]bgp.Advertisement {
	if c := r.last(); c != nil {
		return c.table()
	}
	return nil
}

// reset ends the latest connection with a TCP reset.
func (r *testRouter) reset() {
	conn := r.last().conn.(*net.TCPConn)
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func (c *connection) send(messages ...*packet.BGPMessage) {
	for _, m := range messages {
		raw, err := m.Serialize()
		if err != nil {
			panic(err)
		}
		if _, err := c.conn.Write(raw); err != nil {
			return
		}
	}
}

func (c *connection) read(config routerConfig) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if config.HangUp {
		_ = c.conn.Close()
	}
	for {
		m, err := readPacket(c.conn)
		if err != nil {
			c.note(func() { c.ended = err })
			_ = c.conn.Close()
			return
		}
		if c.isDead() {
			_ = c.conn.(*net.TCPConn).SetLinger(0)
			_ = c.conn.Close()
			continue
		}
		switch body := m.Body.(type) {
		case *packet.BGPOpen:
			c.note(func() { c.open, c.silence = body, cancel })
			if !config.Mute {
				c.answer(config)
				go c.keepAlive(ctx, min(config.HoldTime, time.Duration(body.HoldTime)*time.Second)/3)
			}
		case *packet.BGPKeepAlive:
			c.note(func() { c.keepalives++ })
		case *packet.BGPNotification:
			c.note(func() { c.notification = body })
		case *packet.BGPUpdate:
			if config.Forgetful {
				c.note(func() { c.tally(body) })
			} else {
				c.note(func() { c.take(body) })
			}
		}
	}
}

func (c *connection) answer(config routerConfig) {
	c.send(packet.NewBGPOpenMessage(twoBytes(config.ASN), uint16(config.HoldTime/time.Second), config.ID,
		[]packet.OptionParameterInterface{packet.NewOptionParameterCapability(offers(config))}))
	if config.Refuse != nil {
		c.send(&packet.BGPMessage{Header: packet.BGPHeader{Type: packet.BGP_MSG_NOTIFICATION}, Body: config.Refuse})
		return
	}
	c.send(packet.NewBGPKeepAliveMessage())
}

func offers(config routerConfig) []packet.ParameterCapabilityInterface {
	var caps []packet.ParameterCapabilityInterface
	var tuples []*packet.CapGracefulRestartTuple
	for family := range config.Families.All() {
		number := packet.RF_IPv4_UC
		if family == bgp.IPv6 {
			number = packet.RF_IPv6_UC
		}
		caps = append(caps, packet.NewCapMultiProtocol(number))
		tuples = append(tuples, packet.NewCapGracefulRestartTuple(number, false))
	}
	if config.GracefulRestart {
		caps = append(caps, packet.NewCapGracefulRestart(false, false, 120, tuples))
	}
	if config.ExtendedNextHop {
		caps = append(caps, packet.NewCapExtendedNexthop(
			[]*packet.CapExtendedNexthopTuple{packet.NewCapExtendedNexthopTuple(packet.RF_IPv4_UC, packet.AFI_IP6)}))
	}
	if !config.TwoByteAS {
		caps = append(caps, packet.NewCapFourOctetASNumber(uint32(config.ASN)))
	}
	return caps
}

func twoBytes(asn bgp.ASN) uint16 {
	if asn > 0xffff {
		return packet.AS_TRANS
	}
	return uint16(asn)
}

func (c *connection) keepAlive(ctx context.Context, every time.Duration) {
	if every == 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.send(packet.NewBGPKeepAliveMessage())
		}
	}
}

func (c *connection) note(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// tally counts what an UPDATE announces.
func (c *connection) tally(body *packet.BGPUpdate) {
	c.announced += len(body.NLRI)
	for _, attribute := range body.PathAttributes {
		if reach, ok := attribute.(*packet.PathAttributeMpReachNLRI); ok {
			c.announced += len(reach.Value)
		}
	}
}

func (c *connection) announcedCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.announced
}

// take enters an UPDATE into the routes.
func (c *connection) take(update *packet.BGPUpdate) {
	c.updates++
	attributes := bgp.Advertisement{}
	var announced, withdrawn []packet.AddrPrefixInterface
	for _, nlri := range update.NLRI {
		announced = append(announced, nlri)
	}
	for _, nlri := range update.WithdrawnRoutes {
		withdrawn = append(withdrawn, nlri)
	}
	var standardOrLarge []bgp.Community
	for _, attribute := range update.PathAttributes {
		switch a := attribute.(type) {
		case *packet.PathAttributeMpReachNLRI:
			announced = append(announced, a.Value...)
			attributes.NextHop = addressOf(a.Nexthop)
		case *packet.PathAttributeMpUnreachNLRI:
			withdrawn = append(withdrawn, a.Value...)
			if len(a.Value) == 0 {
				c.mark(bgp.IPv6)
			}
		case *packet.PathAttributeNextHop:
			attributes.NextHop = addressOf(a.Value)
		case *packet.PathAttributeAsPath:
			attributes.ASPath = pathOf(a)
		case *packet.PathAttributeAs4Path:
			c.as4Path = nil
			for _, segment := range a.Value {
				c.as4Path = append(c.as4Path, segment.AS...)
			}
		case *packet.PathAttributeMultiExitDisc:
			attributes.MED = bgp.Some(a.Value)
		case *packet.PathAttributeLocalPref:
			attributes.LocalPreference = bgp.Some(a.Value)
		case *packet.PathAttributeCommunities:
			for _, v := range a.Value {
				standardOrLarge = append(standardOrLarge, bgp.Community{Global: v >> 16, Data1: v & 0xffff})
			}
		case *packet.PathAttributeLargeCommunities:
			for _, v := range a.Values {
				standardOrLarge = append(standardOrLarge,
					bgp.Community{Large: true, Global: v.ASN, Data1: v.LocalData1, Data2: v.LocalData2})
			}
		}
	}
	if len(announced)+len(withdrawn)+len(update.PathAttributes) == 0 {
		c.mark(bgp.IPv4)
	}
	attributes.Communities = bgp.CommunitiesOf(standardOrLarge...)
	for _, nlri := range withdrawn {
		delete(c.routes, netip.MustParsePrefix(nlri.String()))
		c.news = append(c.news, "-"+nlri.String())
	}
	for _, nlri := range announced {
		attributes.Prefix = netip.MustParsePrefix(nlri.String())
		c.routes[attributes.Prefix] = attributes
		c.news = append(c.news, "+"+nlri.String())
	}
}

// mark notes an End-of-RIB.
func (c *connection) mark(family bgp.Family) {
	if _, marked := c.atEndOfRIB[family]; marked {
		return
	}
	c.atEndOfRIB[family] = 0
	for prefix := range c.routes {
		if bgp.FamilyOf(prefix.Addr()) == family {
			c.atEndOfRIB[family]++
		}
	}
}

func addressOf(ip net.IP) netip.Addr {
	address, _ := netip.AddrFromSlice(ip)
	return address.Unmap()
}

// pathOf returns an AS path as one AS repeated; the zero ASPath where it is empty or shows several.
func pathOf(attribute *packet.PathAttributeAsPath) bgp.ASPath {
	var all []uint32
	for _, segment := range attribute.Value {
		all = append(all, segment.GetAS()...)
	}
	if len(all) == 0 || len(slices.Compact(slices.Clone(all))) != 1 {
		return bgp.ASPath{}
	}
	return bgp.ASPath{ASN: bgp.ASN(all[0]), Length: uint8(len(all))}
}

func (c *connection) table() map[netip.Prefix]bgp.Advertisement {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.routes)
}

func (c *connection) routeCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.routes)
}

// end returns how the connection ended; nil while it lasts.
func (c *connection) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// lastWords returns the NOTIFICATION that the speaker sent; nil where it sent none.
func (c *connection) lastWords() *packet.BGPNotification {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notification
}

// resetOnData lets the connection be reset by the next message on it, as a host does that knows nothing of it any more.
func (c *connection) resetOnData() { c.note(func() { c.dead = true }) }

// stopKeepalives lets the router say no more of its own accord.
func (c *connection) stopKeepalives() { c.note(func() { c.silence() }) }

func (c *connection) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

func (c *connection) keepaliveCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keepalives
}

func (c *connection) updateCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.updates
}

// takeNews returns what was announced (+) and withdrawn (-) since it was last called, ordered.
func (c *connection) takeNews() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	news := c.news
	c.news = nil
	slices.Sort(news)
	return news
}

// farewell returns code and subcode of the NOTIFICATION that the speaker sent; "" where it sent none.
func (c *connection) farewell() string {
	if last := c.lastWords(); last != nil {
		return fmt.Sprintf("%d/%d", last.ErrorCode, last.ErrorSubcode)
	}
	return ""
}

// routesAtEndOfRIB returns, for each family whose End-of-RIB came, how many of its routes had come before.
func (c *connection) routesAtEndOfRIB() map[bgp.Family]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.atEndOfRIB)
}

// restart returns the restart and forwarding bits of the connection's OPEN: whether R is set, and whether F is set for
// every family.
func (c *connection) restart() (r, f bool) {
	for _, capability := range c.capabilities() {
		if restart, ok := capability.(*packet.CapGracefulRestart); ok {
			r, f = restart.Flags&0x08 != 0, len(restart.Tuples) > 0
			for _, tuple := range restart.Tuples {
				f = f && tuple.Flags&0x80 != 0
			}
		}
	}
	return r, f
}

const capabilityGracefulRestart = packet.BGP_CAP_GRACEFUL_RESTART

// capabilities returns those of the OPEN.
func (c *connection) capabilities() []packet.ParameterCapabilityInterface {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []packet.ParameterCapabilityInterface
	for _, parameter := range c.open.OptParams {
		if list, ok := parameter.(*packet.OptionParameterCapability); ok {
			all = append(all, list.Capability...)
		}
	}
	return all
}

// readPacket reads one message.
func readPacket(r io.Reader) (*packet.BGPMessage, error) {
	header := make([]byte, packet.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint16(header[16:])
	if length < packet.BGP_HEADER_LENGTH {
		return nil, errors.New("a message is shorter than its header")
	}
	body := make([]byte, int(length)-len(header))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return packet.ParseBGPMessage(slices.Concat(header, body))
}

package gobgp_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// impatient is a peer that is tried again soon.
func impatient(p *bgp.Peer) { p.ConnectRetryTime = 100 * time.Millisecond }

func ebgp(p *bgp.Peer) { p.LocalASN = 64513 }

// hostility is what a peer does, and what comes of it.
type hostility struct {
	script func(*connection)
	deaf   bool
	peer   []func(*bgp.Peer)
	// cause is part of what the session says, farewell the NOTIFICATION that the peer gets, "" for none.
	cause, farewell string
}

// endure lets one peer be hostile beside a good one: the session ends as it should, the good one's is not touched, and
// once the hostile one behaves its session comes up.
func (h hostility) endure(t *testing.T) {
	t.Helper()
	config := helper(64512)
	config.Script, config.Deaf = h.script, h.deaf
	good, bad := newRouter(t, "127.0.0.2", helper(64999)), newRouter(t, "127.0.0.3", config)
	s := newSpeaker(t, gobgp.Options{})
	routes := hostRoutes(10)
	goodPeer, badPeer := peerOf("good", good), peerOf("tor", bad, append(h.peer, impatient)...)
	run(t, s, addPeers(goodPeer, badPeer), plan.Routes(routes, nil))
	eventuallyConsistent(t, s, good, goodPeer, routes)

	got := eventuallyCause(t, s, "tor", h.cause)
	if got.State != bgp.Established && (got.Received != 0 || got.Advertised != 0) {
		t.Errorf("session: %+v", got)
	}
	if !h.deaf {
		NewWithT(t).Eventually(bad.all()[0].end, patience, tick).Should(HaveOccurred())
		if said := bad.all()[0].farewell(); said != h.farewell {
			t.Errorf("NOTIFICATION %q, want %q", said, h.farewell)
		}
	}

	bad.answerWith(func(c *routerConfig) { c.Script, c.Deaf = nil, false })
	_ = bad.last().conn.Close()
	eventuallyConsistent(t, s, bad, badPeer, routes)
	if got := session(s, "good"); got.State != bgp.Established || got.Flaps != 0 || got.Advertised != len(routes) {
		t.Errorf("the good peer's session: %+v", got)
	}
}

// endureAll runs the rows at once.
func endureAll(t *testing.T, rows map[string]hostility) {
	t.Helper()
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.endure(t)
		})
	}
}

func TestBrokenHeaders(t *testing.T) {
	t.Parallel()
	badMarker := bytes.Clone(rawKeepalive)
	badMarker[7] = 0
	endureAll(t, map[string]hostility{
		"bad marker":                {script: says(badMarker), cause: "not BGP", farewell: "1/1"},
		"bad marker in the session": {script: handshakes(badMarker), cause: "not BGP", farewell: "1/1"},
		"no BGP at all":             {script: says([]byte("SSH-2.0-OpenSSH_9.6\r\n")), cause: "not BGP", farewell: "1/1"},
		"length 0":                  {script: says(header(0, kindOpen)), cause: "an OPEN of 0 bytes, want 29 to 4096", farewell: "1/2"},
		"length 18":                 {script: says(header(18, kindKeepalive)), cause: "a KEEPALIVE of 18 bytes, want 19 to 19", farewell: "1/2"},
		"length 4097":               {script: handshakes(header(4097, kindUpdate)), cause: "an UPDATE of 4097 bytes, want 23 to 4096", farewell: "1/2"},
		"length 65535":              {script: handshakes(header(65535, kindUpdate)), cause: "an UPDATE of 65535 bytes", farewell: "1/2"},
		"KEEPALIVE with a body":     {script: handshakes(wire(kindKeepalive, 1)), cause: "a KEEPALIVE of 20 bytes", farewell: "1/2"},
		"UPDATE without its parts":  {script: handshakes(wire(kindUpdate, 0, 0, 0)), cause: "an UPDATE of 22 bytes", farewell: "1/2"},
		"OPEN without its parts":    {script: says(wire(kindOpen, 4, 0, 1)), cause: "an OPEN of 22 bytes", farewell: "1/2"},
		"ROUTE-REFRESH too short":   {script: handshakes(wire(kindRouteRefresh, 0, 1, 0)), cause: "a ROUTE-REFRESH of 22 bytes", farewell: "1/2"},
		"ROUTE-REFRESH too long":    {script: handshakes(wire(kindRouteRefresh, 0, 1, 0, 1, 9)), cause: "a ROUTE-REFRESH of 24 bytes", farewell: "1/2"},
		"message type 0":            {script: says(wire(0)), cause: "a message of type 0", farewell: "1/3"},
		"message type 255":          {script: handshakes(wire(255)), cause: "a message of type 255", farewell: "1/3"},
	})
}

func TestBrokenOpens(t *testing.T) {
	t.Parallel()
	opens := func(edits ...func(*rawOpen)) func(*connection) { return says(openOf(edits...)) }
	as4 := func(asn uint32) []byte { return capability(65, binary.BigEndian.AppendUint32(nil, asn)...) }
	endureAll(t, map[string]hostility{
		"version 3": {script: opens(func(o *rawOpen) { o.version = 3 }), cause: "BGP version 3, not 4", farewell: "2/1"},
		"version 5": {script: opens(func(o *rawOpen) { o.version = 5 }), cause: "BGP version 5, not 4", farewell: "2/1"},
		"AS 0": {
			script: opens(func(o *rawOpen) { o.as = 0 }, withParameters()),
			cause:  "AS mismatch: expected 64512, got 0", farewell: "2/2",
		},
		"AS 0 of four bytes": {
			script: opens(withParameters(parameter(2, as4(0)))), cause: "AS mismatch: expected 64512, got 0", farewell: "2/2",
		},
		"AS_TRANS and nothing more": {
			script: opens(func(o *rawOpen) { o.as = 23456 }, withParameters()),
			cause:  "AS mismatch: expected 64512, got 23456", farewell: "2/2",
		},
		"another AS": {
			script: opens(withParameters(parameter(2, as4(4200000000)))),
			cause:  "AS mismatch: expected 64512, got 4200000000", farewell: "2/2",
		},
		"router ID 0.0.0.0": {
			script: opens(func(o *rawOpen) { o.id = [4]byte{} }), cause: "the peer's router ID is 0.0.0.0", farewell: "2/3",
		},
		"our router ID": {
			script: opens(func(o *rawOpen) { o.id = [4]byte{192, 168, 1, 11} }),
			cause:  "the peer's router ID 192.168.1.11 is this node's own", farewell: "2/3",
		},
		"hold time 1": {
			script: opens(func(o *rawOpen) { o.holdTime = 1 }), cause: "a hold time of 1 s, want 0 or 3 and more", farewell: "2/6",
		},
		"hold time 2": {
			script: opens(func(o *rawOpen) { o.holdTime = 2 }), cause: "a hold time of 2 s", farewell: "2/6",
		},
		"authentication": {
			script: opens(withParameters(parameter(1, []byte("secret")))), cause: "optional parameter 1", farewell: "2/4",
		},
		"an unknown parameter": {
			script: opens(withParameters(parameter(77))), cause: "optional parameter 77", farewell: "2/4",
		},
		"parameters longer than the OPEN": {
			script: opens(func(o *rawOpen) { o.length = 200 }), cause: "don't fill it", farewell: "2/0",
		},
		"parameters shorter than the OPEN": {
			script: opens(func(o *rawOpen) { o.length = 3 }), cause: "don't fill it", farewell: "2/0",
		},
		"a parameter longer than all": {
			script: opens(withParameters([]byte{2, 254, 1, 4})), cause: "longer than what is there", farewell: "2/0",
		},
		"half a parameter": {
			script: opens(withParameters([]byte{2})), cause: "longer than what is there", farewell: "2/0",
		},
		"extended parameters that overrun": {
			script: opens(withParameters([]byte{255, 0xff, 0xff, 2, 0, 0})), cause: "don't fill it", farewell: "2/0",
		},
		"a capability that overruns": {
			script: opens(withParameters(parameter(2, []byte{1, 4, 0, 1}))), cause: "a capability", farewell: "2/0",
		},
		"half a capability": {
			script: opens(withParameters(parameter(2, as4(64512), []byte{1}))), cause: "a capability", farewell: "2/0",
		},
		"multiprotocol of 3 bytes": {
			script: opens(withParameters(parameter(2, capability(1, 0, 1, 1)))), cause: "a capability", farewell: "2/0",
		},
		"AS number of 2 bytes": {
			script: opens(withParameters(parameter(2, capability(65, 1, 1)))), cause: "a capability", farewell: "2/0",
		},
		"graceful restart of 3 bytes": {
			script: opens(withParameters(parameter(2, capability(64, 0, 1, 1)))), cause: "a capability", farewell: "2/0",
		},
		"extended next hop of 5 bytes": {
			script: opens(withParameters(parameter(2, capability(5, 0, 1, 0, 1, 0)))), cause: "a capability", farewell: "2/0",
		},
	})
}

// What is odd but right must not be refused.
func TestOddOpensAreTaken(t *testing.T) {
	t.Parallel()
	many := bytes.Repeat(capability(200, 1, 2, 3), 60)
	extended := binary.BigEndian.AppendUint16([]byte{255}, uint16(3+len(many)))
	extended = binary.BigEndian.AppendUint16(append(extended, 2), uint16(len(many)))
	for name, test := range map[string]struct {
		open []byte
		peer func(*bgp.Peer)
		want bgp.Families
	}{
		"no parameters":            {openOf(withParameters()), impatient, bgp.FamiliesOf(bgp.IPv4)},
		"a parameter of no length": {openOf(withParameters(parameter(2))), impatient, bgp.FamiliesOf(bgp.IPv4)},
		"one parameter for each capability": {
			openOf(withParameters(parameter(2, capability(1, 0, 2, 0, 1)), parameter(2, capability(65, 0, 0, 0xfc, 0)))),
			impatient, bgp.FamiliesOf(bgp.IPv6),
		},
		"more than 255 bytes of parameters (RFC 9072)": {
			openOf(withParameters(extended, many), func(o *rawOpen) { o.length = 255 }), impatient, bgp.FamiliesOf(bgp.IPv4),
		},
		"VPN routes only": {openOf(withParameters(parameter(2, capability(1, 0, 1, 0, 128)))), impatient, bgp.FamiliesOf()},
		"our router ID in another AS (RFC 6286)": {
			openOf(func(o *rawOpen) { o.id = [4]byte{192, 168, 1, 11} }), ebgp, bgp.FamiliesOf(bgp.IPv4, bgp.IPv6),
		},
		"capabilities of BIRD, Cisco and others": {
			openOf(withParameters(parameter(2, capability(1, 0, 1, 0, 1), capability(2), capability(128), capability(70), capability(6),
				capability(69, 0, 1, 1, 3), capability(73, 4, 'h', 'o', 's', 't', 0), capability(71)))),
			impatient, bgp.FamiliesOf(bgp.IPv4),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := helper(64512)
			config.Script = says(test.open, rawKeepalive)
			router := newRouter(t, "127.0.0.2", config)
			s := newSpeaker(t, gobgp.Options{})
			run(t, s, addPeers(peerOf("tor", router, test.peer)), plan.Routes(hostRoutes(1), nil))
			got := eventuallyEstablished(t, s, "tor", 0)
			if got.Families != test.want {
				t.Errorf("families %s, want %s", got.Families, test.want)
			}
			count := 0
			for range test.want.All() {
				count++
			}
			NewWithT(t).Eventually(func() int { return session(s, "tor").Advertised }, patience, tick).Should(Equal(count))
		})
	}
}

func TestMessagesOutOfTurn(t *testing.T) {
	t.Parallel()
	update := updateOf(nil, soundWith(), 32, 20, 0, 0, 1)
	refresh := wire(kindRouteRefresh, 0, 1, 0, 1)
	endureAll(t, map[string]hostility{
		"KEEPALIVE before OPEN":          {script: says(rawKeepalive), cause: "a KEEPALIVE where its OPEN was due", farewell: "5/1"},
		"UPDATE before OPEN":             {script: says(update), cause: "an UPDATE where its OPEN was due", farewell: "5/1"},
		"ROUTE-REFRESH before OPEN":      {script: says(refresh), cause: "a ROUTE-REFRESH where its OPEN was due", farewell: "5/1"},
		"UPDATE before the KEEPALIVE":    {script: says(openOf(), update, rawKeepalive), cause: "an UPDATE where the KEEPALIVE", farewell: "5/2"},
		"ROUTE-REFRESH before KEEPALIVE": {script: says(openOf(), refresh), cause: "a ROUTE-REFRESH where the KEEPALIVE", farewell: "5/2"},
		"two OPENs":                      {script: says(openOf(), openOf()), cause: "an OPEN where the KEEPALIVE", farewell: "5/2"},
		"an OPEN in the session":         {script: handshakes(openOf()), cause: "an OPEN where the session had begun", farewell: "5/3"},
		"the OPEN never confirmed": {
			script: says(openOf()), peer: []func(*bgp.Peer){shortHoldTime}, cause: "hold timer expired", farewell: "4/0",
		},
		"a timeless OPEN never confirmed": {
			script: says(openOf(func(o *rawOpen) { o.holdTime = 0 })),
			peer:   []func(*bgp.Peer){shortHoldTime}, cause: "hold timer expired", farewell: "4/0",
		},
	})
}

// A peer that starts to say something must get on with it.
func TestPeersThatDoNotGetOn(t *testing.T) {
	t.Parallel()
	short := []func(*bgp.Peer){shortHoldTime}
	slowly := func(raw []byte) func(*connection) {
		return func(c *connection) { c.trickle(raw, 700*time.Millisecond) }
	}
	endureAll(t, map[string]hostility{
		"nothing at all":         {script: says(), peer: short, cause: "no OPEN from the peer within 3s", farewell: "4/0"},
		"half a header":          {script: says(openOf()[:10]), peer: short, cause: "no OPEN from the peer within 3s", farewell: "4/0"},
		"half an OPEN":           {script: says(openOf()[:30]), peer: short, cause: "no OPEN from the peer within 3s", farewell: "4/0"},
		"an OPEN byte by byte":   {script: slowly(openOf()), peer: short, cause: "no OPEN from the peer within 3s", farewell: "4/0"},
		"half a header later":    {script: handshakes(rawKeepalive[:12]), peer: short, cause: "hold timer expired", farewell: "4/0"},
		"half an UPDATE":         {script: handshakes(header(4096, kindUpdate)), peer: short, cause: "hold timer expired", farewell: "4/0"},
		"messages byte by byte":  {script: func(c *connection) { handshakes()(c); slowly(rawKeepalive)(c) }, peer: short, cause: "hold timer expired", farewell: "4/0"},
		"nothing and no reading": {script: says(), deaf: true, peer: short, cause: "no OPEN from the peer within 3s"},
	})
}

func TestConnectionsCutInEveryPhase(t *testing.T) {
	t.Parallel()
	reset := func(said ...[]byte) func(*connection) {
		return func(c *connection) {
			c.write(said...)
			_ = c.conn.(*net.TCPConn).SetLinger(0)
			_ = c.conn.Close()
		}
	}
	halfClose := func(said ...[]byte) func(*connection) {
		return func(c *connection) {
			c.write(said...)
			_ = c.conn.(*net.TCPConn).CloseWrite()
		}
	}
	rows := map[string]hostility{}
	for name, said := range map[string][][]byte{
		"before the OPEN":        nil,
		"within the OPEN":        {openOf()[:25]},
		"after the OPEN":         {openOf()},
		"after the KEEPALIVE":    {openOf(), rawKeepalive},
		"within an UPDATE":       {openOf(), rawKeepalive, header(1000, kindUpdate)},
		"after a malformed OPEN": {header(28, kindOpen)},
	} {
		// What a reset leaves of a message that it overtakes is up to the kernel, so that any cause will do.
		rows["reset "+name] = hostility{script: reset(said...), deaf: true, cause: "e"}
		if name != "after a malformed OPEN" {
			rows["half closed "+name] = hostility{script: halfClose(said...), cause: "connection closed by the peer"}
		}
	}
	endureAll(t, rows)
}

func TestNotificationsOfAllKinds(t *testing.T) {
	t.Parallel()
	shutdown := func(text string) []byte {
		return wire(kindNotification, append([]byte{6, 2, byte(len(text))}, text...)...)
	}
	long := strings.Repeat("x", 255)
	endureAll(t, map[string]hostility{
		"in place of an OPEN": {script: says(wire(kindNotification, 6, 5)), cause: "peer sent Cease/Connection Rejected"},
		"empty":               {script: handshakes(wire(kindNotification)), cause: "a NOTIFICATION that is too short to say why"},
		"of one byte":         {script: handshakes(wire(kindNotification, 6)), cause: "a NOTIFICATION that is too short to say why"},
		"unknown code":        {script: handshakes(wire(kindNotification, 99, 7)), cause: "peer sent NOTIFICATION 99/7"},
		"unknown subcode":     {script: handshakes(wire(kindNotification, 6, 77)), cause: "peer sent Cease/77"},
		"of 4096 bytes":       {script: handshakes(wire(kindNotification, append([]byte{6, 2}, make([]byte, 4075)...)...)), cause: "peer sent Cease/Administrative Shutdown"},
		"control characters":  {script: handshakes(shutdown("bye\x1b[31m\x00\n\x07")), cause: `Shutdown: "bye\x1b[31m\x00\n\a"`},
		"invalid UTF-8":       {script: handshakes(shutdown("\xff\xfebye\xc3")), cause: `Shutdown: "\xff\xfebye\xc3"`},
		"right to left":       {script: handshakes(shutdown("\u202edrowssap")), cause: `Shutdown: "\u202edrowssap"`},
		"a long text":         {script: handshakes(shutdown(long)), cause: `Shutdown: "` + long + `"`},
		"a text beyond the end": {
			script: handshakes(wire(kindNotification, 6, 2, 200, 'x')), cause: "peer sent Cease/Administrative Shutdown",
		},
		"for a KEEPALIVE": {script: handshakes(wire(kindNotification, 8, 0)), cause: "peer sent Send Hold Timer Expired"},
	})
}

// malformed announces 20.0.0.1/32, which the peer has announced before, in a way that is wrong.
func malformed(attributes ...[]byte) []byte { return updateOf(nil, attributes, 32, 20, 0, 0, 1) }

// An UPDATE whose attributes are malformed takes the routes away that it is about, and the session goes on (RFC 7606).
func TestMalformedAttributesWithdraw(t *testing.T) {
	t.Parallel()
	sound := updateOf(nil, soundWith(), 32, 20, 0, 0, 1, 32, 20, 0, 0, 2)
	mpReach := func(value ...byte) []byte { return attributeOf(0x80, 14, value...) }
	v6 := slices.Concat([]byte{0, 2, 1, 16}, make([]byte, 16), []byte{0, 8, 0x20})
	for name, test := range map[string]struct {
		update []byte
		want   int
	}{
		"sound":                           {malformed(soundWith()...), 2},
		"all that may be there":           {malformed(soundWith(attributeOf(0x80, 4, 0, 0, 0, 1), attributeOf(0x40, 5, 0, 0, 0, 1), attributeOf(0xc0, 8, 1, 2, 3, 4))...), 2},
		"an unknown optional attribute":   {malformed(soundWith(attributeOf(0xc0, 200, 1))...), 2},
		"extended length":                 {malformed(rawOrigin, rawASPath, []byte{0x50, 3, 0, 4, 1, 2, 3, 4}), 2},
		"an attribute twice":              {malformed(soundWith(attributeOf(0x40, 1, 9))...), 2},
		"AGGREGATOR of 3 bytes":           {malformed(soundWith(attributeOf(0xc0, 7, 1, 2, 3))...), 2},
		"ATOMIC_AGGREGATE of 1 byte":      {malformed(soundWith(attributeOf(0x40, 6, 1))...), 2},
		"no attributes":                   {malformed(), 1},
		"no ORIGIN":                       {malformed(rawASPath, rawNextHop), 1},
		"no AS_PATH":                      {malformed(rawOrigin, rawNextHop), 1},
		"no NEXT_HOP":                     {malformed(rawOrigin, rawASPath), 1},
		"ORIGIN of 0 bytes":               {malformed(attributeOf(0x40, 1), rawASPath, rawNextHop), 1},
		"ORIGIN 3":                        {malformed(attributeOf(0x40, 1, 3), rawASPath, rawNextHop), 1},
		"ORIGIN with optional flag":       {malformed(attributeOf(0xc0, 1, 0), rawASPath, rawNextHop), 1},
		"AS_PATH that overruns":           {malformed(rawOrigin, attributeOf(0x40, 2, 2, 9, 0, 0, 1, 1), rawNextHop), 1},
		"AS_PATH with segment type 9":     {malformed(rawOrigin, attributeOf(0x40, 2, 9, 1, 0, 0, 1, 1), rawNextHop), 1},
		"AS_PATH with an empty segment":   {malformed(rawOrigin, attributeOf(0x40, 2, 2, 0), rawNextHop), 1},
		"AS_PATH of half a segment":       {malformed(rawOrigin, attributeOf(0x40, 2, 2), rawNextHop), 1},
		"NEXT_HOP of 3 bytes":             {malformed(rawOrigin, rawASPath, attributeOf(0x40, 3, 1, 2, 3)), 1},
		"MED of 3 bytes":                  {malformed(soundWith(attributeOf(0x80, 4, 1, 2, 3))...), 1},
		"LOCAL_PREF of 5 bytes":           {malformed(soundWith(attributeOf(0x40, 5, 1, 2, 3, 4, 5))...), 1},
		"communities of 5 bytes":          {malformed(soundWith(attributeOf(0xc0, 8, 1, 2, 3, 4, 5))...), 1},
		"no communities":                  {malformed(soundWith(attributeOf(0xc0, 8))...), 1},
		"ORIGINATOR_ID of 3 bytes":        {malformed(soundWith(attributeOf(0x80, 9, 1, 2, 3))...), 1},
		"CLUSTER_LIST of 5 bytes":         {malformed(soundWith(attributeOf(0x80, 10, 1, 2, 3, 4, 5))...), 1},
		"extended communities of 7 bytes": {malformed(soundWith(attributeOf(0xc0, 16, 1, 2, 3, 4, 5, 6, 7))...), 1},
		"large communities of 11 bytes":   {malformed(soundWith(attributeOf(0xc0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))...), 1},
		"an unknown well-known attribute": {malformed(soundWith(attributeOf(0x40, 200, 1))...), 1},
		"an attribute that overruns":      {malformed(soundWith([]byte{0x40, 5, 200, 1})...), 1},
		"half an attribute":               {malformed(soundWith([]byte{0x40})...), 1},
		"extended length that overruns":   {malformed(soundWith([]byte{0x50, 5, 0xff, 0xff})...), 1},
		"MP_REACH_NLRI":                   {updateOf(nil, [][]byte{rawOrigin, rawASPath, mpReach(v6...)}), 3},
		"MP_REACH_NLRI of VPN routes":     {updateOf(nil, [][]byte{rawOrigin, rawASPath, mpReach(0, 1, 128, 0, 0, 99, 1)}), 2},
		"withdrawal without attributes":   {updateOf([]byte{32, 20, 0, 0, 1}, nil), 1},
		"withdrawal with a bad attribute": {updateOf([]byte{32, 20, 0, 0, 1}, [][]byte{attributeOf(0x40, 1, 3)}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := helper(64512)
			marker := updateOf(nil, soundWith(), 32, 99, 0, 0, 1)
			config.Script = handshakes(sound, test.update, marker)
			router := newRouter(t, "127.0.0.2", config)
			s := newSpeaker(t, gobgp.Options{})
			run(t, s, addPeers(peerOf("tor", router)), plan.Routes(hostRoutes(1), nil))
			g := NewWithT(t)
			g.Eventually(received(s), patience, tick).Should(Equal(1 + test.want))
			g.Consistently(received(s), 20*tick, tick).Should(Equal(1 + test.want))
			if got := eventuallyEstablished(t, s, "tor", 0); len(router.all()) != 1 {
				t.Errorf("%d connections, session %+v", len(router.all()), got)
			}
		})
	}
}

// An UPDATE that does not even say what it is about ends the session (RFC 7606, section 3).
func TestUnreadableUpdates(t *testing.T) {
	t.Parallel()
	sent := func(body ...byte) func(*connection) { return handshakes(wire(kindUpdate, body...)) }
	multi := func(kind byte, value ...byte) func(*connection) {
		return handshakes(updateOf(nil, [][]byte{rawOrigin, rawASPath, attributeOf(0x80, kind, value...)}))
	}
	nextHop := func(family, length byte) []byte {
		return slices.Concat([]byte{0, family, 1, length}, make([]byte, length), []byte{0, 8, 0x20})
	}
	unreach := attributeOf(0x80, 15, 0, 2, 1)
	endureAll(t, map[string]hostility{
		"withdrawn routes beyond the end": {script: sent(0xff, 0xff, 0, 0), cause: "lengths are beyond its end", farewell: "3/1"},
		"attributes beyond the end":       {script: sent(0, 0, 0, 9, 1), cause: "lengths are beyond its end", farewell: "3/1"},
		"no length of attributes":         {script: sent(0, 2, 8, 20), cause: "lengths are beyond its end", farewell: "3/1"},
		"a withdrawn prefix of 33 bits":   {script: sent(0, 6, 33, 1, 2, 3, 4, 5, 0, 0), cause: "not an IPv4 prefix", farewell: "3/10"},
		"a prefix of 33 bits":             {script: handshakes(updateOf(nil, soundWith(), 33, 1, 2, 3, 4, 5)), cause: "not an IPv4 prefix", farewell: "3/10"},
		"a prefix that overruns":          {script: handshakes(updateOf(nil, soundWith(), 32, 1, 2)), cause: "not an IPv4 prefix", farewell: "3/10"},
		"MP_REACH_NLRI of 2 bytes":        {script: multi(14, 0, 2), cause: "attribute 14", farewell: "3/9"},
		"MP_UNREACH_NLRI of 2 bytes":      {script: multi(15, 0, 2), cause: "attribute 15", farewell: "3/9"},
		"no next hop for IPv6":            {script: multi(14, nextHop(2, 0)...), cause: "attribute 14", farewell: "3/9"},
		"next hop of 4 bytes for IPv6":    {script: multi(14, nextHop(2, 4)...), cause: "attribute 14", farewell: "3/9"},
		"next hop of 15 bytes":            {script: multi(14, nextHop(2, 15)...), cause: "attribute 14", farewell: "3/9"},
		"next hop of 24 bytes for IPv4":   {script: multi(14, nextHop(1, 24)...), cause: "attribute 14", farewell: "3/9"},
		"next hop beyond the end":         {script: multi(14, 0, 2, 1, 255, 1), cause: "attribute 14", farewell: "3/9"},
		"IPv6 prefix of 129 bits": {
			script: multi(14, slices.Concat([]byte{0, 2, 1, 16}, make([]byte, 17), []byte{129}, make([]byte, 17))...),
			cause:  "attribute 14", farewell: "3/9",
		},
		"IPv6 prefix that overruns": {script: multi(15, 0, 2, 1, 64, 1, 2), cause: "attribute 15", farewell: "3/9"},
		"MP_UNREACH_NLRI twice":     {script: handshakes(updateOf(nil, [][]byte{unreach, unreach})), cause: "attribute 15 twice", farewell: "3/1"},
	})
}

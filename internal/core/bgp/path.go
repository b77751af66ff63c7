package bgp

import "net/netip"

// Optional is a number that a path may or may not carry: 0 is a value, its absence is not.
type Optional struct {
	Value uint32
	Set   bool
}

// Some returns an Optional that is set to v.
func Some(v uint32) Optional { return Optional{Value: v, Set: true} }

// PathAttributes are the attributes that the configuration gives a path on every session. What differs by session (next
// hop, AS path, and whether LOCAL_PREF or prepending apply at all) is decided by Export.
type PathAttributes struct {
	Communities Communities
	// LocalPreference goes out on iBGP sessions only (RFC 4271, section 5.1.5); unset means 100 there.
	LocalPreference Optional
	// MED is the MULTI_EXIT_DISC (RFC 4271, section 5.1.4).
	MED Optional
	// ASPathPrepend is how many extra copies of the session's AS eBGP sessions send, 0 to 10.
	ASPathPrepend uint8
}

// draining returns the attributes of a path that is about to go (RFC 8326, section 4.2), whatever it had before: a router
// takes it only where it has no other. LOCAL_PREF never leaves an AS, so that on eBGP the router itself must give the
// community its meaning.
func (a PathAttributes) draining() PathAttributes {
	a.Communities = a.Communities.With(CommunitiesOf(GracefulShutdown()))
	a.LocalPreference = Some(0)
	return a
}

// Path is a prefix with its attributes, as a node wants to advertise it.
type Path struct {
	Prefix     netip.Prefix
	Attributes PathAttributes
	// Kinds are what the prefix is advertised for: they never go out, but export rules heed them.
	Kinds Kinds
}

// DefaultLocalPreference is sent on iBGP sessions where the configuration names none.
const DefaultLocalPreference = 100

// Advertisement is a path as it goes out on one session: what an UPDATE says.
type Advertisement struct {
	Prefix netip.Prefix
	// NextHop is unspecified (0.0.0.0 or ::) where it is the session's own local address: see Peer.NextHop.
	NextHop     netip.Addr
	ASPath      ASPath
	Communities Communities
	// LocalPreference is set exactly on iBGP sessions.
	LocalPreference Optional
	MED             Optional
}

// ASPath is an AS_SEQUENCE of one AS repeated: all that a node that originates its routes ever sends.
type ASPath struct {
	ASN    ASN
	Length uint8
}

// Export returns what a session with the peer sends for the path. It returns false where the session carries no routes
// of the path's family, or has no next hop for it, or where the peer's export rules reject it. The rules see the
// attributes that the configuration gives the path; what the kind of session forbids is left out after them.
func Export(peer Peer, path Path) (Advertisement, bool) {
	family := FamilyOf(path.Prefix.Addr())
	if !peer.Carries(family) {
		return Advertisement{}, false
	}
	attributes, accepted := peer.Export.Apply(path)
	if !accepted {
		return Advertisement{}, false
	}
	if peer.Draining {
		attributes = attributes.draining()
	}
	out := Advertisement{
		Prefix:      path.Prefix,
		NextHop:     peer.NextHop(family),
		Communities: attributes.Communities,
		MED:         attributes.MED,
	}
	if peer.IsInternal() {
		out.LocalPreference = Some(DefaultLocalPreference)
		if attributes.LocalPreference.Set {
			out.LocalPreference = attributes.LocalPreference
		}
		return out, true
	}
	out.ASPath = ASPath{ASN: peer.LocalASN, Length: 1 + attributes.ASPathPrepend}
	return out, true
}

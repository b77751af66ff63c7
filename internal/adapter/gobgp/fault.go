package gobgp

import (
	"errors"
	"fmt"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// fault is what is wrong with what the peer sent, and the NOTIFICATION that answers it.
type fault struct {
	code, subcode uint8
	data          []byte
	cause         error
}

func (f *fault) Error() string { return f.cause.Error() }
func (f *fault) Unwrap() error { return f.cause }

func (f *fault) notification() message { return notification(f.code, f.subcode, f.data) }

// faultOf returns a fault whose cause names the NOTIFICATION, then says why it was sent.
func faultOf(code, subcode uint8, data []byte, format string, args ...any) *fault {
	why := fmt.Sprintf(format, args...)
	return &fault{code, subcode, data, errors.New("sent " + notificationName(code, subcode) + ": " + why)}
}

// badOpen is a fault of the peer's OPEN, for which it is refused.
func badOpen(subcode uint8, data []byte, format string, args ...any) *fault {
	f := faultOf(packet.BGP_ERROR_OPEN_MESSAGE_ERROR, subcode, data, format, args...)
	f.cause = refusal{f.cause}
	return f
}

// badUpdate is a fault of an UPDATE after which it can't be told what it is about.
func badUpdate(subcode uint8, format string, args ...any) *fault {
	return faultOf(packet.BGP_ERROR_UPDATE_MESSAGE_ERROR, subcode, nil, format, args...)
}

// Subcodes that GoBGP has no names for.
const (
	unspecific = 0
	// What was received out of turn, by the state that it was received in (RFC 6608).
	unexpectedInOpenSent    = 1
	unexpectedInOpenConfirm = 2
	unexpectedInEstablished = 3
)

// unexpected is a message that the peer may not send in the present state.
func unexpected(subcode, kind uint8, want string) *fault {
	return faultOf(packet.BGP_ERROR_FSM_ERROR, subcode, nil, "the peer sent %s where %s", kindName(kind), want)
}

func kindName(kind uint8) string {
	switch kind {
	case packet.BGP_MSG_OPEN:
		return "an OPEN"
	case packet.BGP_MSG_UPDATE:
		return "an UPDATE"
	case packet.BGP_MSG_NOTIFICATION:
		return "a NOTIFICATION"
	case packet.BGP_MSG_KEEPALIVE:
		return "a KEEPALIVE"
	case packet.BGP_MSG_ROUTE_REFRESH:
		return "a ROUTE-REFRESH"
	default:
		return fmt.Sprintf("a message of type %d", kind)
	}
}

package gobgp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// The errors of this file are the causes that users read in status: whole sentences of their own, nothing to wrap.

var (
	errReconfigured = errors.New("reset by a change of the peer's configuration")
	errRemoved      = errors.New("the peer was removed")
	errShutdown     = errors.New("the speaker was shut down")
	errHoldTimer    = errors.New("hold timer expired")
	errClosed       = errors.New("connection closed by the peer")
	errReset        = errors.New("connection reset by the peer")
	errNoReader     = errors.New("the peer takes nothing of what is sent to it")
)

// refusal is a cause for which one side refused the other's OPEN.
type refusal struct{ error }

// hangUp says that the peer ended a connection before its OPEN.
type hangUp struct{ error }

// rejection is a NOTIFICATION with which a peer ends a connection in favour of another, or takes none at the moment.
type rejection struct{ error }

// reasons tells users the cause of one attempt after the other. Its zero value has seen none.
type reasons struct {
	refused error // the refusal that the last attempts may have followed
	failed  error // the failure of the path that all attempts since have followed
}

// of returns the cause as users shall see it, of an attempt that was established or not. A router that has been part of a refusal
// hangs up on its peer for a while (BIRD, by default, for a minute and more), which says nothing: the refusal stays the cause.
// So does the failure of a path until there is a session again: what keeps it from coming about mostly follows from it.
func (r *reasons) of(cause error, established bool) error {
	if established {
		r.failed = nil
	}
	switch {
	case errors.As(cause, &refusal{}):
		r.refused = cause
	case errors.As(cause, &pathFailure{}):
		r.refused, r.failed = nil, cause
	case r.refused != nil && errors.As(cause, &hangUp{}):
		return fmt.Errorf("%w; since then %w", r.refused, cause)
	case r.failed != nil:
		return fmt.Errorf("%w; since then %w", r.failed, cause)
	default:
		r.refused = nil
	}
	return cause
}

// dialCause says why no connection came about.
func dialCause(err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, new(*noInterfaceError)):
		return err
	case errors.Is(err, syscall.ENOPROTOOPT):
		return errors.New("the kernel of this node has no TCP MD5 signatures: CONFIG_TCP_MD5SIG")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.Is(err, syscall.EHOSTUNREACH):
		return errors.New("host unreachable: nothing answers at the peer's address")
	case errors.Is(err, syscall.ENETUNREACH):
		return errors.New("network unreachable: this node has no route to the peer")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return errors.New("the source address is not an address of this node")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("NoAnswer: the host resolves but the port does not answer: a password or a filter differs")
	default:
		return fmt.Errorf("connect: %w", err)
	}
}

// readCause says why nothing more came from the peer.
func readCause(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	case errors.Is(err, syscall.ECONNRESET):
		return errReset
	case errors.Is(err, syscall.ETIMEDOUT):
		return errNoReader
	default:
		return err
	}
}

// writeCause says why nothing more could be sent to the peer.
func writeCause(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return errNoReader
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errReset
	default:
		return err
	}
}

// asMismatch returns an error where the peer's OPEN shows another AS than was configured.
func asMismatch(expected, got bgp.ASN) error {
	if expected == got {
		return nil
	}
	return refusal{fmt.Errorf("AS mismatch: expected %d, got %d", expected, got)}
}

// receivedCause says what the peer's NOTIFICATION says.
func receivedCause(m message, local bgp.ASN) error {
	if len(m.body()) < 2 {
		return errors.New("peer sent a NOTIFICATION that is too short to say why")
	}
	code, subcode, text := readNotification(m)
	said := "peer sent " + notificationName(code, subcode) + text
	switch {
	case code == packet.BGP_ERROR_CEASE && (subcode == packet.BGP_ERROR_SUB_CONNECTION_REJECTED ||
		subcode == packet.BGP_ERROR_SUB_CONNECTION_COLLISION_RESOLUTION):
		return rejection{errors.New(said)}
	case code == packet.BGP_ERROR_CEASE && subcode == subcodeBFDDown:
		return pathFailure{errors.New(said)}
	case code != packet.BGP_ERROR_OPEN_MESSAGE_ERROR:
		return errors.New(said)
	case subcode == packet.BGP_ERROR_SUB_BAD_PEER_AS:
		return refusal{fmt.Errorf("AS mismatch: %s: it expects another AS of this node than %d", said, local)}
	default:
		return refusal{errors.New(said)}
	}
}

// sentCause says why the engine sent a NOTIFICATION. It is never about the peer's OPEN, which the engine gets from us.
func sentCause(m message) error {
	code, subcode, text := readNotification(m)
	if code == packet.BGP_ERROR_HOLD_TIMER_EXPIRED {
		return errHoldTimer
	}
	return errors.New("sent " + notificationName(code, subcode) + text)
}

// readNotification returns what a NOTIFICATION carries, with the shutdown communication (RFC 9003) quoted.
func readNotification(m message) (code, subcode uint8, text string) {
	body := m.body()
	if len(body) < 2 {
		return 0, 0, ""
	}
	code, subcode, data := body[0], body[1], body[2:]
	shutdown := subcode == packet.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN || subcode == packet.BGP_ERROR_SUB_ADMINISTRATIVE_RESET
	if code == packet.BGP_ERROR_CEASE && shutdown && len(data) > 1 && int(data[0]) < len(data) {
		text = fmt.Sprintf(": %q", data[1:1+int(data[0])])
	}
	return code, subcode, text
}

// notificationName returns the code and subcode of a NOTIFICATION as the RFCs name them, such as
// Cease/Administrative Shutdown.
func notificationName(code, subcode uint8) string {
	name, known := notificationCodes()[code]
	if !known {
		return fmt.Sprintf("NOTIFICATION %d/%d", code, subcode)
	}
	if sub, known := name.subcodes[subcode]; known {
		return name.name + "/" + sub
	}
	if subcode == 0 {
		return name.name
	}
	return fmt.Sprintf("%s/%d", name.name, subcode)
}

type notificationCode struct {
	name     string
	subcodes map[uint8]string
}

// notificationCodes holds RFC 4271 section 4.5, RFC 4486, RFC 5492, RFC 6608, RFC 7313, RFC 8538, RFC 9384
// and RFC 9687.
func notificationCodes() map[uint8]notificationCode {
	return map[uint8]notificationCode{
		1: {"Message Header Error", map[uint8]string{
			1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type",
		}},
		2: {"OPEN Message Error", map[uint8]string{
			1: "Unsupported Version Number", 2: "Bad Peer AS", 3: "Bad BGP Identifier",
			4: "Unsupported Optional Parameter", 6: "Unacceptable Hold Time", 7: "Unsupported Capability",
		}},
		3: {"UPDATE Message Error", map[uint8]string{
			1: "Malformed Attribute List", 2: "Unrecognized Well-known Attribute", 3: "Missing Well-known Attribute",
			4: "Attribute Flags Error", 5: "Attribute Length Error", 6: "Invalid ORIGIN Attribute",
			8: "Invalid NEXT_HOP Attribute", 9: "Optional Attribute Error", 10: "Invalid Network Field",
			11: "Malformed AS_PATH",
		}},
		4: {"Hold Timer Expired", nil},
		5: {"Finite State Machine Error", map[uint8]string{
			1: "Receive Unexpected Message in OpenSent State", 2: "Receive Unexpected Message in OpenConfirm State",
			3: "Receive Unexpected Message in Established State",
		}},
		6: {"Cease", map[uint8]string{
			1: "Maximum Number of Prefixes Reached", 2: "Administrative Shutdown", 3: "Peer De-configured",
			4: "Administrative Reset", 5: "Connection Rejected", 6: "Other Configuration Change",
			7: "Connection Collision Resolution", 8: "Out of Resources", 9: "Hard Reset", 10: "BFD Down",
		}},
		7: {"ROUTE-REFRESH Message Error", map[uint8]string{1: "Invalid Message Length"}},
		8: {"Send Hold Timer Expired", nil},
	}
}

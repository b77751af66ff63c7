package harness

import (
	"context"
	"net/netip"
	"strings"
)

// SendDatagram lets a host send one UDP packet, and reports whether an ICMP error told it within a second that nobody
// takes it.
func (l *Lab) SendDatagram(ctx context.Context, host string, to netip.AddrPort) (told bool, err error) {
	output, err := l.Exec(ctx, host, l.binaries.Probe, "datagram", to.String())
	return strings.Contains(output, "refused"), err
}

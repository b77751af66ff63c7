package bgp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Whoever prints a peer must not print its password, by whatever way.
func TestPasswordIsNeverPrinted(t *testing.T) {
	const secret = "correct horse"
	peer := bgp.Peer{Name: "tor", Password: bgp.PasswordOf(secret)}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", peer, &peer, peer.Password)
	}
	fmt.Fprintln(&out, errors.Join(fmt.Errorf("peer %v", peer)), peer.Password)
	if err := json.NewEncoder(&out).Encode(peer); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "peer", peer, "password", peer.Password)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "peer", peer, "password", peer.Password)
	funcr.New(func(prefix, args string) { out.WriteString(prefix + args) }, funcr.Options{}).Info("x", "peer", peer, "password", peer.Password)
	hex := fmt.Sprintf("%x", secret)
	if text := out.String(); strings.Contains(text, secret) || strings.Contains(text, hex) || !strings.Contains(text, "[redacted]") {
		t.Errorf("printed:\n%s", text)
	}
	if got := peer.Password.Reveal(); got != secret {
		t.Errorf("revealed %q", got)
	}
}

func TestPasswordsCompare(t *testing.T) {
	one, same, other := bgp.PasswordOf("a"), bgp.PasswordOf("a"), bgp.PasswordOf("b")
	if one != same || one == other {
		t.Error("equal passwords are equal, others not")
	}
	if bgp.PasswordOf("").IsSet() || bgp.PasswordOf("") != (bgp.Password{}) {
		t.Error("the empty password is none")
	}
}

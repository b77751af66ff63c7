package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCallsAreCounted(t *testing.T) {
	const (
		creation = `{"verb":"create","userAgent":"bench/v0.0.0 (linux/amd64)","objectRef":{"resource":"services"},"responseStatus":{"code":201}}` + "\n"
		status   = `{"verb":"patch","userAgent":"manager/v0.1.0","objectRef":{"resource":"services","subresource":"status"},"responseStatus":{"code":200}}` + "\n"
		refused  = `{"verb":"patch","userAgent":"manager/v0.1.0","objectRef":{"resource":"services","subresource":"status"},"responseStatus":{"code":409}}` + "\n"
		lease    = `{"verb":"update","userAgent":"agent/v0.1.0","objectRef":{"resource":"leases"},"responseStatus":{"code":200}}` + "\n"
		ready    = `{"verb":"get","userAgent":"curl/8","requestURI":"/readyz?verbose","responseStatus":{"code":200}}` + "\n"
	)
	log := strings.Repeat(creation, 100) + strings.Repeat(status, 150) + refused + strings.Repeat(lease, 20) + strings.Repeat(ready, 4)
	counts, err := countCalls(strings.NewReader(log + `{"verb":"pat`))
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{"calls per Service: manager: patch services/status", "1.50", ""},
		{"calls per Service: bench: create services", "1.00", ""},
		{"calls per Service: manager: patch services/status (refused: 409)", "0.01", ""},
		{"calls per Service: all others", "0.24", ""},
	}
	if diff := cmp.Diff(want, callRows(counts, 100), cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
	if counts[call{program: "curl", verb: "get", resource: "/readyz"}] != 4 {
		t.Errorf("what is no object: %v", counts)
	}
}

func TestWhatIsNoAuditLogIsAnError(t *testing.T) {
	if _, err := countCalls(strings.NewReader("no audit log")); err == nil {
		t.Error("there is none")
	}
}

package probe_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/herald-network/herald/test/lab/kubelet/probe"
)

func TestVerdictChangesAfterAsManyResultsInARowAsTheThresholdSays(t *testing.T) {
	for name, tc := range map[string]struct {
		success, failure int32
		results          string // + for a success, - for a failure
		want             string // U or D where the verdict becomes healthy or unhealthy, . elsewhere
	}{
		"first success counts":             {1, 3, "+", "U"},
		"verdict is told once":             {1, 3, "+++", "U.."},
		"too few failures":                 {1, 3, "+--+--", "U....."},
		"enough failures":                  {1, 3, "+---", "U..D"},
		"back to health":                   {1, 2, "+--+", "U.DU"},
		"unhealthy from the beginning":     {1, 2, "---", ".D."},
		"success takes a few":              {3, 1, "++-+++", "..D..U"},
		"failures do not add up over time": {1, 2, "+-+-+-", "U....."},
	} {
		t.Run(name, func(t *testing.T) {
			tally := probe.Tally{SuccessThreshold: tc.success, FailureThreshold: tc.failure}
			var got strings.Builder
			for _, result := range tc.results {
				switch healthy, changed := tally.Add(result == '+'); {
				case !changed:
					got.WriteByte('.')
				case healthy:
					got.WriteByte('U')
				default:
					got.WriteByte('D')
				}
			}
			if got.String() != tc.want {
				t.Errorf("got %s, want %s", got.String(), tc.want)
			}
		})
	}
}

// report is a verdict with the time since the start.
type report struct {
	After   time.Duration
	Healthy bool
}

// runFor runs a probe, against a container that is healthy in a span of time, and returns what it reports and when it
// asks.
func runFor(t *testing.T, length time.Duration, p corev1.Probe, pace probe.Pace, from, to time.Duration) (reports []report, asked []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		check := func(context.Context) error {
			now := time.Since(start)
			asked = append(asked, now)
			if now < from || now >= to {
				return errors.New("not now")
			}
			return nil
		}
		probe.Run(ctx, &p, pace, check, func(healthy bool, _ error) {
			reports = append(reports, report{time.Since(start), healthy})
		})
	})
	return reports, asked
}

func TestProbeKeepsItsDelayPeriodAndThresholds(t *testing.T) {
	p := corev1.Probe{InitialDelaySeconds: 3, PeriodSeconds: 10, FailureThreshold: 2, SuccessThreshold: 1}
	reports, asked := runFor(t, 60*time.Second, p, probe.Steady, 0, 20*time.Second)
	if diff := cmp.Diff([]report{{3 * time.Second, true}, {33 * time.Second, false}}, reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	want := []time.Duration{3 * time.Second, 13 * time.Second, 23 * time.Second, 33 * time.Second, 43 * time.Second, 53 * time.Second}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("times of asking (-want +got):\n%s", diff)
	}
}

func TestEagerProbeAsksEverySecondUntilTheFirstSuccess(t *testing.T) {
	p := corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3, SuccessThreshold: 1}
	reports, asked := runFor(t, 25*time.Second, p, probe.EagerAtFirst, 2*time.Second, time.Hour)
	if diff := cmp.Diff([]report{{2 * time.Second, true}}, reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	want := []time.Duration{0, time.Second, 2 * time.Second, 12 * time.Second, 22 * time.Second}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("times of asking (-want +got):\n%s", diff)
	}
}

func TestAttemptThatHangsFailsAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		var failedAfter time.Duration
		p := corev1.Probe{PeriodSeconds: 5, TimeoutSeconds: 2, FailureThreshold: 2}
		probe.Run(ctx, &p, probe.Steady, hang, func(bool, error) { failedAfter = time.Since(start) })
		if want := 7 * time.Second; failedAfter != want {
			t.Errorf("unhealthy after %s, want %s", failedAfter, want)
		}
	})
}

// target returns how a server on this machine is reached.
func target(t *testing.T, handler http.HandlerFunc) (probe.Target, intstr.IntOrString) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	return probe.Target{
		Host:  address.Addr().String(),
		Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: int32(address.Port())}},
		Dial:  new(net.Dialer).DialContext,
	}, intstr.FromInt32(int32(address.Port()))
}

func TestHTTPProbeGoesByTheStatusCode(t *testing.T) {
	to, port := target(t, func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Query().Get("status"))
		if err != nil || r.Host != "example.com" || r.Header.Get("X-Probe") != "yes" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
	})
	headers := []corev1.HTTPHeader{{Name: "Host", Value: "example.com"}, {Name: "X-Probe", Value: "yes"}}
	for status, success := range map[string]bool{"200": true, "204": true, "399": true, "400": false, "503": false} {
		for _, p := range []intstr.IntOrString{port, intstr.FromString("web"), intstr.FromString(port.String())} {
			get := &corev1.HTTPGetAction{Path: "/ready?status=" + status, Port: p, HTTPHeaders: headers}
			if err := probe.CheckOf(nil, get, nil, to)(t.Context()); (err == nil) != success {
				t.Errorf("status %s at port %v: %v", status, p.String(), err)
			}
		}
	}
}

func TestUnknownPortNameIsAnErrorThatNamesIt(t *testing.T) {
	to, _ := target(t, nil)
	err := probe.CheckOf(nil, nil, &corev1.TCPSocketAction{Port: intstr.FromString("metrics")}, to)(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"metrics"`) {
		t.Errorf("got %v", err)
	}
}

func TestTCPProbeConnects(t *testing.T) {
	to, port := target(t, nil)
	check := probe.CheckOf(nil, nil, &corev1.TCPSocketAction{Port: port}, to)
	if err := check(t.Context()); err != nil {
		t.Error(err)
	}
	to.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	if err := probe.CheckOf(nil, nil, &corev1.TCPSocketAction{Port: port}, to)(t.Context()); err == nil {
		t.Error("a refused connection is a success")
	}
}

func TestExecProbeGoesByTheExitStatusAndTellsTheOutput(t *testing.T) {
	failure := errors.New("exit status 1")
	to := probe.Target{Exec: func(_ context.Context, command []string) ([]byte, error) {
		if command[0] == "true" {
			return nil, nil
		}
		return []byte("no such luck\n"), failure
	}}
	if err := probe.CheckOf(&corev1.ExecAction{Command: []string{"true"}}, nil, nil, to)(t.Context()); err != nil {
		t.Error(err)
	}
	err := probe.CheckOf(&corev1.ExecAction{Command: []string{"false"}}, nil, nil, to)(t.Context())
	if !errors.Is(err, failure) || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("got %v", err)
	}
}

package webhooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/webhook/admission/metrics"
)

// TestGeneratedObjectsAreAnswered throws objects at the webhooks, most of them nearly right and some nothing at all: each
// is answered in time, and none makes Herald fail.
func TestGeneratedObjectsAreAnswered(t *testing.T) {
	const objects = 10_000
	hooks := hooks(newScheme(t), crowdedWorld(t).source(), newRegistered(t))
	paths := slices.Sorted(maps.Keys(hooks))
	g := generator{rand.New(rand.NewPCG(3, 7))}
	tally := map[string]int{}
	for i := range objects {
		path := paths[i%len(paths)]
		body := g.body(t, path)
		answer := checkAnswered(t, hooks[path], body)
		tally[fmt.Sprintf("%d", answer.Result.Code)]++
	}
	t.Logf("answers by code: %v", tally)
	// What is generated has to reach the rules for this test to mean anything.
	if tally["200"] < objects/20 || tally["400"] < objects/20 {
		t.Errorf("what is generated is too much alike: %v", tally)
	}
}

// FuzzAdmissionReview wants -fuzzminimizetime 10x: what else runs in the packages behind a webhook makes coverage differ from
// run to run, and the fuzzer would spend its time on making inputs smaller.
func FuzzAdmissionReview(f *testing.F) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	paths := []string{peerPath, configurationPath, poolPath, servicePath}
	for i, path := range slices.Repeat(paths, 8) {
		f.Add(uint8(i), g.body(f, path))
	}
	hooks := hooks(newScheme(f), crowdedWorld(f).source(), newRegistered(f))
	f.Fuzz(func(t *testing.T, path uint8, body []byte) {
		checkAnswered(t, hooks[paths[int(path)%len(paths)]], body)
	})
}

// checkAnswered checks that a webhook answers any body in time, and that it is never Herald that fails.
func checkAnswered(t *testing.T, hook http.Handler, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	panics := crmetrics.WebhookPanics.WithLabelValues()
	before, start := value(t, panics), time.Now()

	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	hook.ServeHTTP(recorder, request)

	if took := time.Since(start); took >= patience {
		t.Errorf("the answer took %v:\n%s", took, body)
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Response == nil || answer.Response.Result == nil {
		t.Fatalf("%v: the answer is %s to\n%s", err, recorder.Body, body)
	}
	if recorder.Code >= 500 || answer.Response.Result.Code >= 500 || value(t, panics) != before {
		t.Fatalf("HTTP %d, %+v, %v panics, for\n%s", recorder.Code, answer.Response.Result, value(t, panics)-before, body)
	}
	if slices.ContainsFunc(answer.Response.Warnings, func(w string) bool { return strings.Contains(w, "could not check") }) {
		t.Fatalf("%v, for\n%s", answer.Response.Warnings, body)
	}
	return answer.Response
}

// generator makes bodies of admission requests.
type generator struct{ *rand.Rand }

// body returns the body of a request to a webhook; one in twenty is hardly one.
func (g generator) body(tb testing.TB, path string) []byte {
	tb.Helper()
	request := map[string]any{
		"uid":       "7",
		"operation": g.oneOf(operations...),
		"object":    g.object(tb, path),
		"oldObject": g.object(tb, path),
	}
	if g.IntN(20) == 0 {
		delete(request, g.oneOf("object", "oldObject"))
	}
	body := marshal(tb, map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if g.IntN(20) == 0 {
		for range 1 + g.IntN(8) {
			body[g.IntN(len(body))] = byte(g.IntN(256))
		}
	}
	return body
}

// object returns an object of the kind that a webhook is for, changed in a few places: mostly of its spec.
func (g generator) object(tb testing.TB, path string) any {
	tb.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(examples[path]), &object); err != nil {
		tb.Fatal(err)
	}
	for range g.IntN(5) {
		object["spec"] = g.changed(object["spec"])
	}
	if g.IntN(8) == 0 {
		object["metadata"] = g.changed(object["metadata"])
	}
	if g.IntN(40) == 0 {
		return g.changed(object)
	}
	return object
}

// changed returns a value with one change somewhere in it.
func (g generator) changed(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 || g.IntN(60) == 0 {
			return g.odd()
		}
		key := slices.Sorted(maps.Keys(v))[g.IntN(len(v))]
		if g.IntN(8) == 0 {
			delete(v, key)
			return v
		}
		v[key] = g.changed(v[key])
		return v
	case []any:
		if len(v) == 0 || g.IntN(60) == 0 {
			return g.odd()
		}
		i := g.IntN(len(v))
		switch g.IntN(4) {
		case 0:
			return append(v, v[i])
		case 1:
			return append(v, g.changed(v[i]))
		default:
			v[i] = g.changed(v[i])
			return v
		}
	case string:
		return g.oneOf(words...)
	case float64:
		return numbers[g.IntN(len(numbers))]
	default:
		return g.odd()
	}
}

// odd returns a value that may be wrong anywhere.
func (g generator) odd() any {
	switch g.IntN(8) {
	case 0:
		return nil
	case 1:
		return []any{}
	case 2:
		return map[string]any{}
	case 3:
		return numbers[g.IntN(len(numbers))]
	case 4:
		return []any{g.oneOf(words...), g.oneOf(words...)}
	case 5:
		return map[string]any{"cidr": g.oneOf(words...), "matchLabels": map[string]any{"rack": g.oneOf(words...)}}
	case 6:
		return 1e300
	default:
		return g.oneOf(words...)
	}
}

var operations = append(slices.Repeat([]string{"CREATE", "UPDATE", "UPDATE", "DELETE"}, 8), "CONNECT", "", "create")

func (g generator) oneOf(values ...string) string { return values[g.IntN(len(values))] }

var numbers = []any{0, 1, -1, 2, 90, 179, 4095, 4096, 23456, 64512, 64513, 65535, 65536, 4294967295, 4294967296, int64(1) << 62}

// words are of the kinds that fields hold, and of none.
var words = []string{
	"", " ", "default", "rack-a", "tor", "a", "node-1", "rack", "kubernetes.io/hostname", strings.Repeat("a", 64), "\x00", "é☃", "%s%d%!",
	"192.168.1.1", "192.168.1.11", "192.168.1.12", "192.168.3.180", "192.168.4.1", "10.49.0.1", "10.48.1.1", "0.0.0.0", "255.255.255.255",
	"127.0.0.1", "224.0.0.1", "169.254.0.1", "192.168.003.180", "::", "::1", "fe80::1", "fe80::1%eth0", "::ffff:192.168.3.180", "2001:db8::1",
	"10.49.0.0/16", "10.48.0.0/16", "192.168.0.0/16", "192.168.3.0/24", "192.168.3.180/32", "192.168.4.0/24", "0.0.0.0/0", "::/0", "2001:db8:3::/64",
	"192.168.3.1/24", "192.168.3.0/33", "/", "-", "192.168.3.10-192.168.3.20", "192.168.3.20-192.168.3.10", "192.168.3.0-2001:db8::1",
	"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0.0.0.0-255.255.255.255", "64512:1", "64512:1:1", "65536:1", "blackhole",
	"Enabled", "Disabled", "Enforce", "Warn", "Ignore", "NodeIP", "Any", "Active", "Passive", "IPv4", "IPv6", "In", "NotIn", "Exists",
	"Automatic", "OnRequest", "LoadBalancer", "ClusterIP", "None", "2026-11-24T10:00:00Z",
}

// examples are objects that use every field, by the webhook that they are for.
var examples = map[string]string{
	peerPath: `{"apiVersion": "herald.network/v1alpha1", "kind": "BGPPeer", "metadata": {"name": "tor", "generation": 2},
		"spec": {"nodeSelector": {"matchLabels": {"rack": "a"}, "matchExpressions": [{"key": "rack", "operator": "In", "values": ["a", "b"]}]},
			"peerIP": "192.168.1.1", "interface": "eth0", "peerPort": 179, "asNumber": 64513, "localASNumber": 64700, "sourceAddress": "NodeIP",
			"password": {"secretKeyRef": {"name": "tor", "key": "password"}}, "holdTimeSeconds": 90, "keepaliveTimeSeconds": 30,
			"connectRetryTimeSeconds": 5, "ebgpMultihopTTL": 2, "ttlSecurityHops": 1, "maxReceivedPrefixes": 1000, "connectionMode": "Active",
			"addressFamilies": ["IPv4", "IPv6"], "gracefulRestart": {"mode": "Enabled", "restartTimeSeconds": 120}}}`,
	configurationPath: `{"apiVersion": "herald.network/v1alpha1", "kind": "BGPConfiguration", "metadata": {"name": "default"},
		"spec": {"nodeSelector": {"matchLabels": {"rack": "a"}}, "asNumber": 64512, "listenPort": 179, "routerID": "10.0.0.1",
			"serviceClusterIPs": [{"cidr": "10.49.0.0/16", "aggregation": "Enabled"}], "serviceExternalIPs": [{"cidr": "192.168.3.0/24"}],
			"serviceLoadBalancerIPs": [{"cidr": "192.168.4.0/24", "aggregation": "Disabled"}], "podCIDRAdvertisement": "Disabled",
			"communities": [{"name": "blackhole", "value": "64512:666"}],
			"prefixAdvertisements": [{"cidr": "192.168.3.0/24", "communities": ["blackhole", "64512:1"], "localPreference": 200, "med": 10, "asPathPrepend": 2}],
			"gracefulRestart": {"mode": "Enabled", "restartTimeSeconds": 120}, "externalIPPolicy": "Enforce"}}`,
	poolPath: `{"apiVersion": "herald.network/v1alpha1", "kind": "ExternalIPPool", "metadata": {"name": "pool"},
		"spec": {"addresses": ["192.168.3.0/24", "192.168.3.10-192.168.3.20", "2001:db8:3::/120"], "avoid": ["192.168.3.0", "192.168.3.255"],
			"assignment": "Automatic", "namespaceSelector": {}, "serviceSelector": {"matchLabels": {"a": "b"}}, "priority": 1}}`,
	servicePath: `{"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "web"},
		"spec": {"type": "ClusterIP", "clusterIP": "10.49.0.10", "clusterIPs": ["10.49.0.10"], "externalIPs": ["192.168.3.181", "192.168.3.180"],
			"ports": [{"port": 80}], "externalTrafficPolicy": "Local"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.168.4.1"}]}}}`,
}
